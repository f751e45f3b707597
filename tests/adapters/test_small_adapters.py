"""The estate's parameter, the work store, the settings, the limits of every call, and the reader over a stream."""

import os
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from lambdas.adapters.aws import botocore_session, brief_calls, client, error_code
from lambdas.adapters.estate_parameter import PARAMETER, read_estate
from lambdas.adapters.settings import read_settings
from lambdas.adapters.streams import IteratorReader
from lambdas.adapters.work_store import WorkStore
from lambdas.domain.errors import EstateInvalid
from lambdas.domain.inventory import SecretMark
from tests.domain.builders import ESTATE, estate_of
from tests.servers.aws import PRIMARY, STANDBY, refused
from tests.servers.buckets import make_bucket

pytestmark = pytest.mark.usefixtures("_clean")


# --- the estate -------------------------------------------------------------------------------------------


def _store(text: str, region: str = PRIMARY) -> None:
    client("ssm", region).put_parameter(Name=PARAMETER, Value=text, Type="String", Overwrite=True)


def test_the_estate_of_each_region_is_read_as_deployed_there() -> None:
    _store(ESTATE)
    _store(ESTATE.replace("name: example", "name: elsewhere"), STANDBY)
    assert read_estate(PRIMARY) == estate_of()
    assert read_estate(STANDBY).name == "elsewhere"


def test_an_estate_that_somebody_has_edited_badly_is_refused_with_the_place() -> None:
    _store(ESTATE.replace("static", "none"))
    with pytest.raises(EstateInvalid, match=f"SSM parameter {PARAMETER}, vault.seal.type: "):
        read_estate(PRIMARY)


def test_an_estate_that_is_missing_is_an_error_of_aws() -> None:
    with pytest.raises(ClientError, match="ParameterNotFound"):
        read_estate(PRIMARY)


# --- the work store ---------------------------------------------------------------------------------------


def test_what_is_kept_for_a_later_action_is_read_back_as_it_was() -> None:
    work = WorkStore(PRIMARY, make_bucket(name="work").bucket)
    marks = [SecretMark("smtp/a/admin", "ab" * 16, True), SecretMark("smtp/grüße", "cd" * 16, False)]
    key = work.put("op-1", "secrets-before", marks)
    assert key == "op-1/secrets-before.json"
    assert work.get(key, list[SecretMark]) == marks


def test_operations_do_not_mix_and_the_last_writing_stands() -> None:
    work = WorkStore(PRIMARY, make_bucket(name="work").bucket)
    for value in ([1], [2]):
        work.put("op-1", "numbers", value)
    work.put("op-2", "numbers", [3])
    assert work.get("op-1/numbers.json", list[int]) == [2]


def test_what_was_never_kept_is_an_error_of_aws() -> None:
    work = WorkStore(PRIMARY, make_bucket(name="work").bucket)
    with pytest.raises(ClientError, match="NoSuchKey"):
        work.get("op-1/numbers.json", list[int])


# --- settings ---------------------------------------------------------------------------------------------


def test_settings_are_the_region_and_what_mailark_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MAILARK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_REGION", STANDBY)
    monkeypatch.setenv("MAILARK_CATALOG_TABLE", "mailark-catalog")
    monkeypatch.setenv("OTHER", "x")
    settings = read_settings()
    assert settings.region == STANDBY
    assert settings.values == {"CATALOG_TABLE": "mailark-catalog"}
    assert settings["CATALOG_TABLE"] == "mailark-catalog"


def test_a_setting_that_a_function_was_not_given_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", PRIMARY)
    with pytest.raises(KeyError, match="BACKUP_BUCKET"):
        read_settings()["BACKUP_BUCKET"]


# --- calls ------------------------------------------------------------------------------------------------


def test_every_call_has_time_limits_and_at_most_four_attempts() -> None:
    own: Any = client("s3", PRIMARY).meta.config
    of_a_library: Any = botocore_session().create_client("kms", region_name=PRIMARY).meta.config
    for found in (own, of_a_library):
        assert (found.connect_timeout, found.read_timeout) == (3, 20)
        assert found.retries["mode"] == "standard"
        assert found.retries["total_max_attempts"] == 4


def test_an_error_has_the_code_of_aws_or_the_name_of_what_happened() -> None:
    with refused("GetParameter", "AccessDeniedException"), pytest.raises(ClientError) as failure:
        read_estate(PRIMARY)
    assert error_code(failure.value) == "AccessDeniedException"
    assert error_code(ClientError({}, "GetParameter")) == "unknown"
    assert error_code(EndpointConnectionError(endpoint_url="x")) == "EndpointConnectionError"


# --- streams ----------------------------------------------------------------------------------------------


@given(pieces=st.lists(st.binary(max_size=9), max_size=8), sizes=st.lists(st.integers(1, 7), min_size=80, max_size=80))
def test_a_reader_gives_the_bytes_of_its_pieces_in_order_as_many_as_asked_for(
    pieces: list[bytes], sizes: list[int]
) -> None:
    reader, whole = IteratorReader(pieces), b"".join(pieces)
    read = bytearray()
    for size in sizes:
        part = reader.read(size)
        assert len(part) == min(size, len(whole) - len(read))
        read += part
    assert bytes(read) == whole[: len(read)]
    assert bytes(read) + reader.read() == whole
    assert reader.read(5) == b""


def test_a_reader_holds_no_more_than_one_piece() -> None:
    taken = []

    def pieces() -> object:
        for i in range(3):
            taken.append(i)
            yield bytes(10)

    reader = IteratorReader(pieces())  # type: ignore[arg-type]  # broken on purpose
    reader.read(10)
    assert taken == [0]
    reader.read(1)
    assert taken == [0, 1]


def test_a_person_at_a_terminal_waits_for_seconds_and_a_function_for_longer() -> None:
    with brief_calls():
        brief = client("s3", PRIMARY).meta.config
    patient = client("s3", PRIMARY).meta.config
    longest = {
        config: (config.connect_timeout + config.read_timeout) * config.retries["total_max_attempts"]
        for config in (brief, patient)
    }
    assert longest[brief] <= 15 < longest[patient]
