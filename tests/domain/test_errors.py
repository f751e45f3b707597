"""What every failure says, word for word, and that a program can read it back."""

import re
from collections import Counter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.backup import Series
from lambdas.domain.errors import BackupDamaged, BackupMissing, ManifestMissing, all_errors, is_tampering
from lambdas.domain.mailark_error import Failure, MailarkError
from lambdas.domain.vault_errors import VaultUnreachable
from tests.domain.approval_texts import APPROVAL_TEXTS
from tests.domain.credential_texts import CREDENTIAL_TEXTS
from tests.domain.database_texts import DATABASE_TEXTS
from tests.domain.house_texts import HOUSE_TEXTS
from tests.domain.mailu_texts import MAILU_TEXTS
from tests.domain.recovery_texts import RECOVERY_TEXTS
from tests.domain.service_texts import SERVICE_TEXTS
from tests.domain.swap_texts import SWAP_TEXTS
from tests.domain.vault_texts import VAULT_TEXTS

TEXTS: list[tuple[MailarkError, str]] = [
    *HOUSE_TEXTS,
    *VAULT_TEXTS,
    *DATABASE_TEXTS,
    *SWAP_TEXTS,
    *MAILU_TEXTS,
    *CREDENTIAL_TEXTS,
    *RECOVERY_TEXTS,
    *SERVICE_TEXTS,
    *APPROVAL_TEXTS,
]


def test_the_table_holds_every_failure_once() -> None:
    assert Counter(type(error) for error, _ in TEXTS) == Counter(all_errors())


@pytest.mark.parametrize(("error", "text"), TEXTS, ids=[error.code for error, _ in TEXTS])
def test_a_failure_says_what_happened_and_what_to_do_next(error: MailarkError, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize(("error", "text"), TEXTS, ids=[error.code for error, _ in TEXTS])
def test_the_text_of_a_failure_can_be_read_back(error: MailarkError, text: str) -> None:
    first, second = text.split("\nNext: ")
    assert Failure.parse(text) == Failure(error.code, first.removeprefix(f"{error.code}: "), second)


BROKEN = (ManifestMissing, BackupMissing, BackupDamaged)
CURES: dict[Series, str] = {
    "pre-restore": "Restore another backup: only nightly ones have a copy in the other region. What is left of this "
    "one is evidence.",
    "staging": "Give the staging Vault an empty disk, and start vault_restore_test again: it saves the empty state "
    "anew. What is left of this one is evidence.",
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("series", CURES)
def test_what_has_no_copy_is_not_looked_for_in_the_other_region(kind: type[MailarkError], series: Series) -> None:
    failure = Failure.parse(str(kind(backup_id="b", key="k", problem="p", series=series)))
    assert failure is not None
    assert (failure.code, failure.hint) == (kind.code, CURES[series])


@pytest.mark.parametrize("kind", BROKEN)
def test_a_nightly_backup_has_a_copy_in_the_other_region(kind: type[MailarkError]) -> None:
    text = str(kind(backup_id="b", key="k", problem="p", series="daily"))
    assert text == str(kind(backup_id="b", key="k", problem="p"))
    assert "the other region's" in text.lower()


def test_another_hint_is_for_each_series_that_is_not_copied_and_for_these_failures_alone() -> None:
    assert {kind for kind in all_errors() if kind.hints} == set(BROKEN)
    assert all(set(kind.hints) == set(get_args(Series)) - {"daily"} for kind in BROKEN)


def test_a_code_names_one_failure_only() -> None:
    codes = [kind.code for kind in all_errors()]
    assert sorted(codes) == sorted(set(codes))


@pytest.mark.parametrize("kind", all_errors())
def test_a_code_is_words_in_lower_case_with_hyphens(kind: type[MailarkError]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)


@pytest.mark.parametrize("kind", all_errors())
def test_a_code_is_the_name_of_its_class(kind: type[MailarkError]) -> None:
    assert "".join(word.capitalize() for word in kind.code.split("-")) == kind.__name__


@pytest.mark.parametrize("kind", all_errors())
def test_what_happened_is_one_sentence(kind: type[MailarkError]) -> None:
    assert _sentences(kind.sentence) == 1
    assert kind.sentence.endswith(".")


@pytest.mark.parametrize("kind", all_errors())
def test_a_hint_is_one_sentence_or_two_and_ends_with_a_stop_or_a_fact(kind: type[MailarkError]) -> None:
    for hint in (kind.hint, *kind.hints.values()):
        assert _sentences(hint) in (1, 2)
        assert hint.endswith((".", "}"))


def test_the_security_contacts_hear_of_what_may_be_somebodys_deed() -> None:
    tampering = {kind.__name__ for kind in all_errors() if is_tampering(kind.code)}
    assert tampering == {
        *("ManifestMissing", "ManifestInvalid", "BackupMissing", "BackupMisplaced", "BackupDamaged", "CopyNotProved"),
        "AuditTrailBroken",
        "VaultLooksLost",
        "EscrowItemDamaged",
        "CatalogIncomplete",
        "BackupsVanished",
        "ApprovalNotDecided",
        *("DumpLooksLost", "DatabaseNotProved", "BackupRefuted"),
    }
    assert not is_tampering("no-such-code")


def test_only_what_may_pass_by_itself_is_transient() -> None:
    transient = {kind.__name__ for kind in all_errors() if kind.transient}
    assert transient == {
        "VaultUnreachable",
        "VaultLeaderless",
        "SnapshotDamaged",
        "StorageRefused",
        "AuditConflict",
        "AwsUnavailable",
        "ServiceControlUnreachable",
        *("DatabaseUnreachable", "DumpDamaged"),
        "MailuUnreachable",
    }


@given(st.text(), st.text())
def test_a_fact_is_shown_as_it_is_whatever_it_holds(address: str, problem: str) -> None:
    text = str(VaultUnreachable(address=address, problem=problem))
    assert text.startswith(f"vault-unreachable: Vault at {address} does not answer ({problem}).\nNext: Check ")


def test_a_fact_of_several_lines_is_read_back_whole() -> None:
    error = VaultUnreachable(address="a", problem="one\ntwo: three")
    failure = Failure.parse(str(error))
    assert failure is not None
    assert failure.sentence == "Vault at a does not answer (one\ntwo: three)."


@pytest.mark.parametrize(
    "text",
    ["", "boom", "vault-sealed: Vault is sealed.", "Next: do it", "Traceback: a\nb", "Vault Sealed: x\nNext: y"],
)
def test_any_other_text_is_no_failure(text: str) -> None:
    assert Failure.parse(text) is None


def _sentences(text: str) -> int:
    """How many sentences a text has: a stop inside a path or a name ends none."""
    return len(re.findall(r"[.?!](?= |$)|(?<=})$", text))
