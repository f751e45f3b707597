"""AWS for the tests of adapters and actions: moto, with what it lacks, and with refusals on demand."""

import contextlib
import json
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError
from botocore.loaders import create_loader
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from moto import mock_aws
from moto.backends import get_backend
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.exceptions import JsonRESTError
from moto.core.models import responses_mock
from moto.kms.models import KmsBackend
from moto.kms.utils import IV_LEN, TAG_LEN, ECDSAPrivateKey

from lambdas.adapters.aws import CALL_LIMITS, client
from lambdas.adapters.signing import SigningKey

ACCOUNT = "123456789012"
PRIMARY, STANDBY = "eu-central-1", "eu-west-1"

Matches = Callable[[AWSPreparedRequest], bool]


@dataclass
class Refusal:
    """How AWS answers the requests that match, or that it does not answer them; `met` counts them."""

    matches: Matches
    code: str | None
    status: int = 400
    met: int = 0

    def answer(self, request: AWSPreparedRequest) -> tuple[int, dict[str, str], bytes]:
        self.met += 1
        if self.code is None:
            raise EndpointConnectionError(endpoint_url=request.url.partition("?")[0])
        error = f"<Error><Code>{self.code}</Code><Message>no</Message></Error>"
        host = request.url.split("/")[2]
        if "s3." in host:
            return self.status, {}, error.encode()
        if "sns." in host:
            return self.status, {}, f"<ErrorResponse>{error}</ErrorResponse>".encode()
        return self.status, {"x-amzn-errortype": self.code}, json.dumps({"__type": self.code}).encode()


_refusals: list[Refusal] = []
_losses: list[Matches] = []
_cuts: list[Matches] = []


def _operation(name: str) -> Matches:
    def matches(request: AWSPreparedRequest) -> bool:
        target: Any = request.headers.get("X-Amz-Target", "")
        return (target.decode() if isinstance(target, bytes) else str(target)).rpartition(".")[2] == name

    return matches


@contextlib.contextmanager
def refused(matches: str | Matches, code: str | None, status: int = 400) -> Iterator[Refusal]:
    """Let AWS refuse requests while the block runs: those to one operation (such as `Decrypt`), or any that match.

    Without a code it does not answer them at all. Nothing is retried meanwhile, which only takes time.
    """
    refusal = Refusal(_operation(matches) if isinstance(matches, str) else matches, code, status)
    _refusals.append(refusal)
    at_once = CALL_LIMITS.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
    try:
        with patch("lambdas.adapters.aws.CALL_LIMITS", at_once):
            yield refusal
    finally:
        _refusals.remove(refusal)


@contextlib.contextmanager
def answer_lost(operation: str) -> Iterator[None]:
    """Let AWS act on the next request to an operation, and the connection be cut before it has answered."""
    with _counted(_losses, operation, 1) as met:
        yield
    assert met, f"{operation} was not asked for"


@contextlib.contextmanager
def answer_cut(operation: str, times: int) -> Iterator[list[AWSPreparedRequest]]:
    """Let the next answers to an operation break off after their head; gives the list of those requests."""
    with _counted(_cuts, operation, times) as met:
        yield met


@contextlib.contextmanager
def _counted(faults: list[Matches], operation: str, times: int) -> Iterator[list[AWSPreparedRequest]]:
    """Let the next requests to an operation, and no later ones, meet a fault."""
    met: list[AWSPreparedRequest] = []

    def matches(request: AWSPreparedRequest) -> bool:
        if len(met) == times or not _operation(operation)(request):
            return False
        met.append(request)
        return True

    faults.append(matches)
    try:
        yield met
    finally:
        faults.remove(matches)


@contextlib.contextmanager
def answering(operation: str, *answers: Mapping[str, Any]) -> Iterator[list[Any]]:
    """Let AWS answer an operation word for word while the block runs, the last one as often as it is asked for.

    Gives the list of what was asked.
    """
    asked: list[Any] = []

    class Answers(Refusal):
        def answer(self, request: AWSPreparedRequest) -> tuple[int, dict[str, str], bytes]:
            body: Any = request.body
            asked.append(json.loads(body))
            return 200, {}, json.dumps(answers[min(len(asked), len(answers)) - 1]).encode()

    given = Answers(_operation(operation), None)
    _refusals.append(given)
    try:
        yield asked
    finally:
        _refusals.remove(given)


@contextlib.contextmanager
def mocked_aws() -> Iterator[None]:
    """AWS by moto while the block runs: every request atomic, as AWS's are, and Vault's traffic left alone."""
    one_at_a_time = threading.RLock()
    process = BotocoreStubber.process_request

    def atomically(self: BotocoreStubber, request: AWSPreparedRequest) -> Any:
        with one_at_a_time:
            refusal = next((each for each in _refusals if each.matches(request)), None)
            own = refusal.answer if refusal else _lock_of if _asks_for_lock(request) else None
            answer = own(request) if own else process(self, request)
            if any(matches(request) for matches in _losses):
                raise ConnectionClosedError(endpoint_url=request.url.partition("?")[0])
            if answer is not None and any(matches(request) for matches in _cuts):
                status, headers, body = answer
                return status, {**headers, "Content-Length": str(len(body))}, b""
            return answer

    read_once = patch("botocore.session.create_loader", cache(create_loader))  # descriptions of services, in JSON
    with mock_aws(), patch.object(BotocoreStubber, "process_request", atomically), _complete_kms(), read_once:
        responses_mock.stop()  # it would read a whole upload to Vault before the first byte is sent
        try:
            yield
        finally:
            responses_mock.start()


def forget(*services: str) -> None:
    """Empty some services of the mocked AWS, in every region."""
    for service in services:
        for account in get_backend(service).values():  # type: ignore[call-overload]  # moto's types want a literal
            account.reset()


def on_s3(method: str, subresource: str) -> Matches:
    """The requests of a method to S3 that name a subresource: `PUT` and `retention`, say."""
    return lambda request: request.method == method and subresource in urlsplit(request.url).query.split("&")


_asks_for_lock = on_s3("GET", "retention")


def _lock_of(request: AWSPreparedRequest) -> tuple[int, dict[str, str], bytes]:
    url = urlsplit(request.url)
    return lock_of(url.netloc.partition(".s3.")[0], unquote(url.path.lstrip("/")), parse_qs(url.query)["versionId"][0])


def lock_of(bucket: str, key: str, version: str) -> tuple[int, dict[str, str], bytes]:
    """The answer to GetObjectRetention, which moto lacks (Amazon S3 API reference)."""
    found = get_backend("s3")[ACCOUNT]["aws"].get_object(bucket, key, version_id=version)
    if found is None:
        return 404, {}, b"<Error><Code>NoSuchVersion</Code></Error>"
    if found.lock_mode is None:
        return 404, {}, b"<Error><Code>NoSuchObjectLockConfiguration</Code></Error>"
    until = f"<Mode>{found.lock_mode}</Mode><RetainUntilDate>{found.lock_until}</RetainUntilDate>"
    return 200, {}, f"<Retention>{until}</Retention>".encode()


@contextlib.contextmanager
def _complete_kms() -> Iterator[None]:
    """What moto's KMS lacks: ciphertexts of multi-Region keys, signatures over digests, keys that are not enabled."""
    longest_id = len("mrk-") + 36
    layout = f">{longest_id}s{IV_LEN}s{TAG_LEN}s"
    with contextlib.ExitStack() as stack:
        stack.enter_context(patch("moto.kms.utils.HEADER_LEN", struct.calcsize(layout)))
        stack.enter_context(patch("moto.kms.utils.CIPHERTEXT_HEADER_FORMAT", layout))
        stack.enter_context(patch("moto.kms.models.generate_private_key", _private_key))
        for operation in ("encrypt", "decrypt", "sign", "verify"):
            stack.enter_context(patch.object(KmsBackend, operation, _if_enabled(getattr(KmsBackend, operation))))
        yield


def _private_key(spec: str) -> "_DigestSigner | None":
    return _DigestSigner(spec) if spec.startswith("ECC") else None


class _DigestSigner(ECDSAPrivateKey):
    """Signs the digest that it is given (MessageType DIGEST); moto would hash it once more."""

    def sign(self, message: bytes, signing_algorithm: str) -> bytes:  # noqa: ARG002  # moto's signature
        return self.private_key.sign(message, ec.ECDSA(Prehashed(SHA256())))

    def verify(self, message: bytes, signature: bytes, signing_algorithm: str) -> bool:  # noqa: ARG002  # moto's signature
        try:
            self.private_key.public_key().verify(signature, message, ec.ECDSA(Prehashed(SHA256())))
        except InvalidSignature:
            return False
        return True


def _if_enabled(operation: Callable[..., Any]) -> Callable[..., Any]:
    """KMS API reference, "Errors": DisabledException, and KMSInvalidStateException for a key that is to be deleted."""

    def checked(self: KmsBackend, *positional: Any, **arguments: Any) -> Any:
        key = self.keys.get(self.any_id_to_key_id(arguments["key_id"]))
        if key is not None and key.key_state == "Disabled":
            raise JsonRESTError("DisabledException", f"{key.arn} is disabled.")
        if key is not None and key.key_state != "Enabled":
            raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
        return operation(self, *positional, **arguments)

    return checked


@cache
def aws(service: str, region: str = PRIMARY) -> Any:
    """A client for the tests' own use, made once."""
    return client(service, region)


def make_key(alias: str | None = None, spec: str = "SYMMETRIC_DEFAULT") -> str:
    """A multi-Region KMS key with its replica; the ARN in the primary region."""
    kms = aws("kms")
    usage = "ENCRYPT_DECRYPT" if spec == "SYMMETRIC_DEFAULT" else "SIGN_VERIFY"
    made = kms.create_key(MultiRegion=True, KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
    if alias:
        kms.create_alias(AliasName=alias, TargetKeyId=made["KeyId"])
    kms.replicate_key(KeyId=made["KeyId"], ReplicaRegion=STANDBY)
    return str(made["Arn"])


def make_signing_key(alias: str | None = None) -> SigningKey:
    return SigningKey(make_key(alias, "ECC_NIST_P256"))


def replica(arn: str) -> str:
    """The ARN of a key's replica."""
    return arn.replace(PRIMARY, STANDBY)
