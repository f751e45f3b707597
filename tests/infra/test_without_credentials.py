"""An estate without tenants' credentials: one more synth, for what is then not there, and what nobody may do."""

import pytest
import yaml

from lambdas.domain.suspect import MANY_SUSPECTS_ALARM, RESPONSE_RULE, SWEEP_RULE
from tests.infra.conftest import synth
from tests.infra.templates import APP_STACKS, ROOT, House

both = pytest.mark.parametrize("stack", APP_STACKS)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The house of the example's estate, but for its credentials."""
    folder = tmp_path_factory.mktemp("bare")
    estate = yaml.safe_load((ROOT / "estate.yaml").read_text())
    del estate["credentials"]
    (folder / "estate.yaml").write_text(yaml.safe_dump(estate))
    return synth(folder / "cdk.out", {"estate": str(folder / "estate.yaml")})


@both
def test_no_log_is_watched_and_nothing_is_swept(house: House, bare: House, stack: str) -> None:
    def named(found: House) -> set[str]:
        template = found.stacks[stack]
        rules = {rule["Name"] for rule in template.properties("AWS::Events::Rule").values()}
        return rules | {alarm["AlarmName"] for alarm in template.properties("AWS::CloudWatch::Alarm").values()}

    assert named(house) - named(bare) == {RESPONSE_RULE, SWEEP_RULE, MANY_SUSPECTS_ALARM}
    assert not list(bare.stacks[stack].properties("AWS::Logs::SubscriptionFilter"))


@both
def test_nobody_may_send_mail(bare: House, stack: str) -> None:
    grants = [grant.action for role in bare.stacks[stack].roles().values() for grant in role.grants]
    assert grants
    assert "ses:SendEmail" not in grants
