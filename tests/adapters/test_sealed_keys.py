"""Long-lived keys at rest: made or sealed under KMS, kept once, and opened in either region."""

import secrets

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.sealed_keys import MASTER_KEY, SealedKeys, seal_key_name
from lambdas.adapters.signing import key_id
from lambdas.domain.errors import AwsUnavailable, KeyUnusable
from lambdas.domain.vault_errors import SealKeyMissing
from tests.servers.aws import PRIMARY, STANDBY, aws, make_key, refused, replica

NAME = seal_key_name("k1")

pytestmark = pytest.mark.usefixtures("_clean")


@pytest.fixture(scope="module")
def kms_key() -> str:
    return make_key()


@pytest.fixture
def keys(kms_key: str) -> SealedKeys:
    return SealedKeys(PRIMARY, kms_key)


def test_a_key_that_was_sealed_opens_again(keys: SealedKeys) -> None:
    key = secrets.token_bytes(32)
    keys.store(MASTER_KEY, keys.seal(MASTER_KEY, key))
    assert keys.open(MASTER_KEY) == key


def test_what_is_stored_does_not_hold_the_key(keys: SealedKeys) -> None:
    key = secrets.token_bytes(32)
    keys.store(MASTER_KEY, keys.seal(MASTER_KEY, key))
    assert key not in keys.ciphertext(MASTER_KEY)


@pytest.mark.parametrize("size", [32, 16])
def test_a_key_that_was_made_is_random_and_as_long_as_asked_for(size: int, keys: SealedKeys) -> None:
    keys.store(NAME, keys.make(NAME, size))
    keys.store(seal_key_name("k2"), keys.make(seal_key_name("k2"), size))
    assert len(keys.open(NAME)) == size
    assert keys.open(NAME) != keys.open(seal_key_name("k2"))


def test_a_key_opens_in_the_other_region_from_the_same_ciphertext(keys: SealedKeys, kms_key: str) -> None:
    ciphertext = keys.make(NAME)
    keys.store(NAME, ciphertext)
    there = SealedKeys(STANDBY, replica(kms_key))
    there.store(NAME, ciphertext)
    assert there.open(NAME) == keys.open(NAME)


def test_keys_may_be_sealed_under_an_alias_as_operators_do() -> None:
    arn = make_key("alias/test-seal")
    keys = SealedKeys(PRIMARY, "alias/test-seal")
    keys.store(NAME, keys.make(NAME))
    assert SealedKeys(PRIMARY, arn).open(NAME) == keys.open(NAME)


def test_a_key_that_is_not_stored_is_missing_by_name(keys: SealedKeys) -> None:
    assert not keys.has(NAME)
    with pytest.raises(SealKeyMissing, match="under the name vault-seal-key/k1"):
        keys.open(NAME)
    keys.store(NAME, keys.make(NAME))
    assert keys.has(NAME)


def test_a_stored_key_is_never_overwritten(keys: SealedKeys) -> None:
    keys.store(NAME, keys.make(NAME))
    before = keys.open(NAME)
    with pytest.raises(ClientError, match="ParameterAlreadyExists"):
        keys.store(NAME, keys.make(NAME))
    assert keys.open(NAME) == before


def test_a_key_does_not_open_under_the_name_of_another(keys: SealedKeys) -> None:
    keys.store(NAME, keys.seal(MASTER_KEY, b"x" * 32))
    with pytest.raises(KeyUnusable, match="InvalidCiphertextException"):
        keys.open(NAME)


def test_the_context_tells_the_purpose_apart(keys: SealedKeys) -> None:
    assert keys.context(NAME) == {"purpose": "vault-seal-key", "name": "vault-seal-key/k1"}
    assert keys.context(MASTER_KEY) == {"purpose": "platform-master-key", "name": "platform-master-key"}


def test_a_refusal_of_the_store_is_not_taken_for_a_missing_key(keys: SealedKeys) -> None:
    with refused("GetParameter", "AccessDeniedException"), pytest.raises(ClientError, match="AccessDenied"):
        keys.open(NAME)


def test_a_disabled_or_refused_kms_key_is_said_to_be_unusable() -> None:
    arn = make_key()
    keys = SealedKeys(PRIMARY, arn)
    keys.store(NAME, keys.make(NAME))
    with refused("Decrypt", "AccessDeniedException"), pytest.raises(KeyUnusable, match="AccessDeniedException"):
        keys.open(NAME)
    with refused("Decrypt", None), pytest.raises(AwsUnavailable, match="EndpointConnectionError"):
        keys.open(NAME)
    aws("kms").disable_key(KeyId=key_id(arn))
    with pytest.raises(KeyUnusable, match="DisabledException"):
        keys.open(NAME)
    with pytest.raises(KeyUnusable, match="DisabledException"):
        keys.make(NAME)
    with pytest.raises(KeyUnusable, match="DisabledException"):
        keys.seal(NAME, b"x" * 32)
