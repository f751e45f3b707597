"""The services of an estate are read strictly: the key, and what was expected there."""

from pathlib import Path
from typing import Any

import pytest

from lab.certificates import CertificateAuthority
from lambdas.domain.estate_services import (
    SERVICES_PATTERNS,
    Services,
    check_services,
    is_directory,
    is_service_name,
)
from lambdas.domain.parsing import Problem, parse

SUPERVISORD: dict[str, Any] = {
    "control": "supervisord",
    "names": ["smtp-receiver", "api"],
    "health": ["https://api.example.org/health"],
    "address": "https://app.example.org:9443",
    "secret": "arn:aws:secretsmanager:eu-central-1:111122223333:secret:supervisord",
}
SSM: dict[str, Any] = {
    "control": "ssm",
    "names": ["smtp-receiver", "api"],
    "health": ["http://10.0.0.5:8000/health?deep=1", "https://api.example.org", "smtp://10.0.0.5:2525"],
    "instance_id": "i-0123456789abcdef0",
}


def _read(data: dict[str, Any]) -> Services:
    services = parse(data, Services, SERVICES_PATTERNS)
    check_services(services, "database.services")
    return services


def _problem(data: dict[str, Any]) -> str:
    with pytest.raises(Problem) as caught:
        _read(data)
    return str(caught.value)


def test_services_under_supervisord_are_read() -> None:
    services = _read(SUPERVISORD)
    assert (services.control, services.address) == ("supervisord", "https://app.example.org:9443")


@pytest.mark.parametrize("host", ["i-0123456789abcdef0", "i-01234567", "mi-0123456789abcdef0"])
def test_services_on_a_host_of_ssm_are_read(host: str) -> None:
    services = _read({**SSM, "instance_id": host})
    assert (services.instance_id, services.directory) == (host, "/srv/smtpy")


def test_what_is_stopped_last_is_started_first() -> None:
    assert _read(SSM).starting_order == ["api", "smtp-receiver"]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({**SSM, "control": "systemd"}, "control: expected supervisord or ssm, got 'systemd'"),
        ({**SSM, "names": []}, "names: expected at least 1 entry, got none"),
        (
            {**SSM, "names": ["api", "Api"]},
            "names[1]: expected the name of a service such as smtp-receiver, in lower case, got 'Api'",
        ),
        ({**SSM, "names": ["api", "api"]}, "database.services.names[1]: this name stands twice, got 'api'"),
        ({**SSM, "health": []}, "health: expected at least 1 entry, got none"),
        (
            {**SSM, "health": ["https://user:word@api.example.org/"]},
            "health[0]: expected an http:// or https:// URL without a user, a fragment or a space, or smtp:// with "
            "a host and a port, got "
            "'https://user:word@api.example.org/'",
        ),
        (
            {**SSM, "instance_id": "i-1"},
            "instance_id: expected the id of a host in SSM such as i-0123456789abcdef0 or mi-0123456789abcdef0, "
            "got 'i-1'",
        ),
        (
            {**SSM, "directory": "/srv/my service"},
            "directory: expected the absolute path of a directory such as /srv/smtpy, got '/srv/my service'",
        ),
        (
            {**SUPERVISORD, "address": "http://app.example.org:9001"},
            "address: expected an address without a path such as https://host.example.org:9443, got "
            "'http://app.example.org:9001'",
        ),
        ({**SUPERVISORD, "secret": "hunter2"}, "secret: expected an ARN, got 'hunter2'"),
        ({**SUPERVISORD, "ca": "not PEM"}, "database.services.ca: expected one or more certificates in PEM"),
    ],
)
def test_a_mistake_is_named_with_its_key(data: dict[str, Any], problem: str) -> None:
    assert _problem(data) == problem


@pytest.mark.parametrize("key", ["address", "secret"])
def test_supervisord_needs_its_address_and_its_secret(key: str) -> None:
    data = {each: value for each, value in SUPERVISORD.items() if each != key}
    assert _problem(data) == f"database.services.{key}: this key is required with supervisord, and missing"


def test_ssm_needs_its_host() -> None:
    data = {each: value for each, value in SSM.items() if each != "instance_id"}
    assert _problem(data) == "database.services.instance_id: this key is required with ssm, and missing"


def test_what_the_control_would_not_read_is_refused() -> None:
    assert _problem({**SSM, "secret": SUPERVISORD["secret"]}) == (
        "database.services.secret: expected with supervisord only"
    )
    assert _problem({**SUPERVISORD, "instance_id": SSM["instance_id"]}) == (
        "database.services.instance_id: expected with ssm only"
    )


def test_a_private_ca_is_read(tmp_path: Path) -> None:
    pem = CertificateAuthority(tmp_path).pem
    assert _read({**SUPERVISORD, "ca": pem}).ca == pem


@pytest.mark.parametrize("text", ["", "a b", "a;b", "$(a)", "`a`", "a\n", "-a", "A", "a" * 64])
def test_what_a_shell_could_read_otherwise_is_no_name_of_a_service(text: str) -> None:
    assert not is_service_name(text)


@pytest.mark.parametrize("text", ["", "srv", "/a b", "/a'b", "/$(a)", "/a\n", "/", "/-a", "/a//b"])
def test_what_a_shell_could_read_otherwise_is_no_directory(text: str) -> None:
    assert not is_directory(text)
