"""`review_traces`: what a new password does not end is listed, and nothing of it is touched."""

import pytest

from lab.mailu.running import broken
from lambdas.domain.mailu_errors import MailuNotRecognized
from tests.actions.credential_house import TenantHouse


def _kinds(reviewed: dict[str, object]) -> list[tuple[str, str, str]]:
    traces = reviewed["traces"]
    assert isinstance(traces, list)
    return [(each["kind"], each["who"], each["what"]) for each in traces]


def test_what_an_intruder_has_left_is_listed(tenant: TenantHouse) -> None:
    state = tenant.mailu.server.state
    user = state.users[tenant.email]
    user.forward_enabled, user.forward_destination = True, ["eve@example.net"]
    state.domains[user.domain].managers.append("eve@example.net")
    reviewed = tenant.run("review_traces", tenant.operation())
    assert {("forward", tenant.email, "eve@example.net"), ("manager", "eve@example.net", "")} <= set(_kinds(reviewed))
    assert (reviewed["email"], reviewed["known_good_at"]) == (tenant.email, None)
    assert reviewed["count"] == len(reviewed["traces"])
    assert user.forward_destination == ["eve@example.net"]


def test_the_whole_list_lies_in_the_work_bucket_however_long_it_is(tenant: TenantHouse) -> None:
    state = tenant.mailu.server.state
    domain = state.users[tenant.email].domain
    state.domains[domain].managers += [f"eve-{i}@example.net" for i in range(300)]
    reviewed = tenant.run("review_traces", tenant.operation())
    assert (reviewed["count"] >= 300, len(reviewed["traces"])) == (True, 200)
    assert tenant.house.objects("work")[reviewed["record"]].count(b"eve-") == 300


def test_it_may_run_twice(tenant: TenantHouse) -> None:
    operation = tenant.operation()
    found = [tenant.run("review_traces", operation) for _ in range(2)]
    assert found[0] == found[1]


def test_a_page_that_is_no_answer_lists_nothing(tenant: TenantHouse) -> None:
    with broken(tenant.mailu.server, html_status=200), pytest.raises(MailuNotRecognized, match="mailu-not-recognized"):
        tenant.run("review_traces", tenant.operation())
