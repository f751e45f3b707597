"""Compose services on a host, by SSM: the script is really run, by sh and with a stand-in for Docker; SSM is played."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from botocore.awsrequest import AWSPreparedRequest

from lambdas.adapters.service_control import service_control
from lambdas.adapters.ssm_services import SsmServices
from lambdas.domain.errors import AwsUnavailable
from lambdas.domain.estate_services import Services
from lambdas.domain.service_errors import (
    ServiceControlRefused,
    ServiceControlUnreachable,
    ServicesNotStarted,
    ServicesNotStopped,
    ServiceUnknown,
)
from tests.servers import aws as servers
from tests.servers.aws import PRIMARY, Refusal, answering, refused
from tests.servers.compose_host import ComposeHost

INSTANCE = "i-0123456789abcdef0"
NAMES = ["smtp-receiver", "api"]
CONTAINERS = {"c1": "api running", "c2": "api running", "c3": "smtp-receiver running", "c4": "db running"}
SENT = {"Command": {"CommandId": "11111111-2222-3333-4444-555555555555"}}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ComposeHost]:
    """A host that SSM reaches."""
    host = ComposeHost(tmp_path)
    ended: list[dict[str, Any]] = []

    class Agent(Refusal):
        def answer(self, request: AWSPreparedRequest) -> tuple[int, dict[str, str], bytes]:
            body: Any = request.body
            target: Any = request.headers["X-Amz-Target"]
            if b"SendCommand" in (target if isinstance(target, bytes) else target.encode()):
                ended.append(host.run(json.loads(body)))
                return 200, {}, json.dumps(SENT).encode()
            return 200, {}, json.dumps(ended[-1]).encode()

    agent = Agent(lambda request: "ssm." in request.url, None)
    with patch.object(servers, "_refusals", [*servers._refusals, agent]):
        yield host


def _control(host: ComposeHost) -> SsmServices:
    return SsmServices(PRIMARY, INSTANCE, host.directory, stop_seconds=5, start_seconds=5, pause=0)


def _elsewhere() -> SsmServices:
    return SsmServices(PRIMARY, INSTANCE, "/srv/smtpy", stop_seconds=5, start_seconds=5, pause=0)


# --- the script -------------------------------------------------------------------------------------------


def test_services_are_stopped_and_started_in_the_order_given_and_may_be_asked_for_twice(host: ComposeHost) -> None:
    host.set_up(CONTAINERS)
    control = _control(host)
    assert control.states(NAMES) == {"smtp-receiver": "running", "api": "running"}
    for _ in range(2):
        control.stop(NAMES)
        assert control.states(NAMES) == {"smtp-receiver": "stopped", "api": "stopped"}
    for _ in range(2):
        control.start(NAMES[::-1])
        assert control.states(NAMES) == {"smtp-receiver": "running", "api": "running"}
    assert host.deeds == [*["stop smtp-receiver", "stop api"] * 2, *["start api", "start smtp-receiver"] * 2]


def test_no_other_service_is_touched(host: ComposeHost) -> None:
    host.set_up(CONTAINERS)
    _control(host).stop(NAMES)
    assert _control(host).states(["db"]) == {"db": "running"}


def test_a_service_of_several_containers_shows_each_state_once(host: ComposeHost) -> None:
    host.set_up({"c1": "api running", "c2": "api exited", "c3": "api dead", "c4": "api paused", "c5": "api restarting"})
    assert _control(host).states(["api"]) == {"api": "failed, running, starting, stopped, unknown"}


def test_what_does_not_stop_is_reported_with_what_docker_says(host: ComposeHost) -> None:
    host.set_up(CONTAINERS, stubborn="stop api")
    with pytest.raises(
        ServicesNotStopped, match=r"stopped: api \(running\), given 5 s, Failed, exit code 1, .*cannot stop api\.\n"
    ):
        _control(host).stop(NAMES)


def test_what_does_not_start_is_reported_with_what_docker_says(host: ComposeHost) -> None:
    host.set_up({"c1": "api exited", "c3": "smtp-receiver exited"}, stubborn="start api")
    with pytest.raises(
        ServicesNotStarted, match=r"started: api \(stopped\), smtp-receiver \(stopped\), .*cannot start"
    ):
        _control(host).start(["api", "smtp-receiver"])


def test_a_name_that_is_not_known_is_told_before_anything_is_done(host: ComposeHost) -> None:
    host.set_up(CONTAINERS)
    for deed in (_control(host).stop, _control(host).start, _control(host).states):
        with pytest.raises(ServiceUnknown, match=r"no service apy\.\nNext: .* known there: api, db, smtp-receiver\."):
            deed(["api", "apy"])
    assert host.deeds == []


def test_a_host_without_the_compose_file_is_refused(host: ComposeHost) -> None:
    host.set_up(CONTAINERS)
    control = SsmServices(PRIMARY, INSTANCE, f"{host.directory}/elsewhere", pause=0)
    with pytest.raises(ServiceControlRefused, match="refused the states: Failed, exit code"):
        control.stop(NAMES)


@pytest.mark.parametrize("name", ["api;reboot", "$(reboot)", "-a", "", "Api", "api\nreboot", "a" * 64])
def test_a_name_that_a_shell_could_read_otherwise_is_never_sent(host: ComposeHost, name: str) -> None:
    host.set_up(CONTAINERS)
    with pytest.raises(ServiceControlRefused, match="not one that may stand in a command"):
        _control(host).stop(["api", name])
    assert host.sent == []


@pytest.mark.parametrize("directory", ["/srv/it's", "/srv/$(reboot)", "srv", "/srv\n", "/srv/a b", "/"])
def test_a_directory_that_a_shell_could_read_otherwise_is_never_sent(host: ComposeHost, directory: str) -> None:
    host.set_up(CONTAINERS)
    with pytest.raises(ServiceControlRefused, match="not one that may stand in a command"):
        SsmServices(PRIMARY, INSTANCE, directory).stop(["api"])
    assert host.sent == []


def test_a_command_goes_to_one_host_by_the_document_of_aws_and_is_not_delivered_late(host: ComposeHost) -> None:
    host.set_up(CONTAINERS)
    _control(host).states(["api"])
    (sent,) = host.sent
    assert sent["InstanceIds"] == [INSTANCE]
    assert sent["DocumentName"] == "AWS-RunShellScript"
    assert sent["TimeoutSeconds"] == 60
    assert int(sent["Parameters"]["executionTimeout"][0]) <= 900


# --- what SSM answers -------------------------------------------------------------------------------------


def _states_with(*answers: Mapping[str, Any]) -> dict[str, str]:
    with answering("SendCommand", SENT), answering("GetCommandInvocation", *answers):
        return _elsewhere().states(["api"])


GOOD = {"Status": "Success", "StatusDetails": "Success", "StandardOutputContent": "service api\nstate api running\n"}


def test_a_command_is_waited_for() -> None:
    assert _states_with({"Status": "Pending"}, {"Status": "InProgress"}, GOOD) == {"api": "running"}


def test_a_command_that_ssm_does_not_show_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambdas.adapters.ssm_services._GRACE_SECONDS", -1000)
    with (
        answering("SendCommand", SENT),
        answering("CancelCommand", {}),
        refused("GetCommandInvocation", "InvocationDoesNotExist") as asked,
        pytest.raises(ServiceControlUnreachable, match="the command did not end in time"),
    ):
        _elsewhere().states(["api"])
    assert asked.met == 1


def test_a_command_that_does_not_end_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambdas.adapters.ssm_services._GRACE_SECONDS", -1000)
    with (
        answering("SendCommand", SENT),
        answering("GetCommandInvocation", {"Status": "InProgress"}),
        answering("CancelCommand", {}) as cancelled,
        pytest.raises(ServiceControlUnreachable, match="SSM on i-0123456789abcdef0, does not answer"),
    ):
        _elsewhere().states(["api"])
    assert cancelled == [{"CommandId": SENT["Command"]["CommandId"], "InstanceIds": [INSTANCE]}]


def test_a_host_whose_agent_is_away_is_unreachable() -> None:
    with pytest.raises(ServiceControlUnreachable, match="its agent did not take the command"):
        _states_with({"Status": "TimedOut", "StatusDetails": "DeliveryTimedOut"})


def test_an_answer_that_was_cut_is_not_believed() -> None:
    with pytest.raises(ServiceControlRefused, match="its answer is not whole"):
        _states_with({**GOOD, "StandardOutputContent": ""})


@pytest.mark.parametrize("code", ["InvalidInstanceId", "TargetNotConnected"])
def test_a_host_that_ssm_does_not_know_is_unreachable(code: str) -> None:
    with refused("SendCommand", code), pytest.raises(ServiceControlUnreachable, match="SSM has no such host"):
        _elsewhere().stop(["api"])


def test_a_role_that_may_not_send_is_refused() -> None:
    with (
        refused("SendCommand", "AccessDeniedException"),
        pytest.raises(ServiceControlRefused, match="refused a command: AccessDeniedException"),
    ):
        _elsewhere().stop(["api"])


def test_an_ssm_that_does_not_answer_is_tried_again_later() -> None:
    with refused("SendCommand", None), pytest.raises(AwsUnavailable):
        _elsewhere().stop(["api"])


# --- which control ----------------------------------------------------------------------------------------


def test_the_estate_chooses_ssm() -> None:
    services = Services(control="ssm", names=["api"], health=["https://h.example.org/health"], instance_id=INSTANCE)
    assert isinstance(service_control(PRIMARY, services), SsmServices)
