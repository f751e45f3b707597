"""An estate without a database: one more synth, for what is then off, and what nobody may do any more."""

import pytest
import yaml

from infra.schedule import FOLLOWS, SCHEDULES
from lambdas.domain.operation import machine_name
from lambdas.domain.scenarios import SCENARIOS
from tests.infra.conftest import synth
from tests.infra.templates import APP_STACKS, ROOT, House, Stack, line

both = pytest.mark.parametrize("stack", APP_STACKS)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The house of the example's estate, but for its database."""
    folder = tmp_path_factory.mktemp("bare")
    estate = yaml.safe_load((ROOT / "estate.yaml").read_text())
    del estate["database"]
    (folder / "estate.yaml").write_text(yaml.safe_dump(estate))
    return synth(folder / "cdk.out", {"estate": str(folder / "estate.yaml")})


def _rules(template: Stack) -> dict[str, str]:
    """The state of each rule."""
    return {rule["Name"]: rule["State"] for rule in template.properties("AWS::Events::Rule").values()}


@both
def test_what_would_work_on_the_database_never_starts_by_itself_and_all_else_does_as_ever(
    house: House, bare: House, stack: str
) -> None:
    needing = {machine_name(name) for name in (*SCHEDULES, *FOLLOWS) if SCENARIOS[name].needs_database}
    assert needing == {
        *("mailark-database-backup", "mailark-database-restore-test"),
        *("mailark-services-start", "mailark-database-staging-emptying", "mailark-row-recovery-emptying"),
    }
    assert _rules(bare.stacks[stack]) == _rules(house.stacks[stack]) | dict.fromkeys(needing, "DISABLED")


@both
def test_nobody_reads_a_secret_and_else_everybody_may_do_the_same(house: House, bare: House, stack: str) -> None:
    def may(template: Stack) -> set[str]:
        return {
            f"{role.action or role.name}: {line(grant, template)}"
            for role in template.roles().values()
            for grant in role.grants
        }

    lost = may(house.stacks[stack]) - may(bare.stacks[stack])
    assert lost
    assert all(": secretsmanager:GetSecretValue smtpy-" in each for each in lost)
    assert may(bare.stacks[stack]) < may(house.stacks[stack])


@both
def test_postgresqls_client_programs_are_not_deployed(bare: House, stack: str) -> None:
    (layer,) = bare.stacks[stack].properties("AWS::Lambda::LayerVersion")
    for function in bare.stacks[stack].properties("AWS::Lambda::Function").values():
        assert function["Layers"] == [f"<{layer}>"], function["FunctionName"]
