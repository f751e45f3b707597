"""The app tokens of a user: written down, then deleted, until Mailu lists none."""

from dataclasses import dataclass

from botocore.exceptions import ClientError

from lambdas.adapters.aws import error_code
from lambdas.adapters.mailu import MailuApi
from lambdas.adapters.work_store import WorkStore
from lambdas.domain.credential_errors import AppTokensRemain
from lambdas.domain.mailu import AppToken

_ROUNDS = 3
"""Whoever is inside may make one while the others are deleted."""


@dataclass(frozen=True)
class RecordedTokens:
    """What an operation has found, in the work bucket: whatever dies, no token is deleted that is not written down."""

    work: WorkStore
    operation_id: str

    @property
    def key(self) -> str:
        return self.work.key(self.operation_id, "app-tokens")

    def read(self) -> list[AppToken]:
        """What was found so far."""
        try:
            return self.work.get(self.key, list[AppToken])
        except ClientError as error:
            if error_code(error) != "NoSuchKey":
                raise
            return []

    def add(self, found: list[AppToken]) -> list[AppToken]:
        """Write down what was found now, beside what was found before; all of it."""
        known = {each.id: each for each in (*self.read(), *found)}
        self.work.put(self.operation_id, "app-tokens", list(known.values()))
        return list(known.values())


def revoke_all(api: MailuApi, email: str, record: RecordedTokens) -> list[AppToken]:
    """Delete every app token of a user; all that were there, also before an earlier run of the same died.

    Raises `AppTokensRemain`, and what `MailuApi` raises.
    """
    revoked = record.read()
    for _ in range(_ROUNDS):
        found = api.tokens(email)
        if not found:
            return revoked
        revoked = record.add(found)
        for each in found:
            api.delete_token(each.id)
    if left := api.tokens(email):
        raise AppTokensRemain(address=api.address, email=email, count=len(left))
    return revoked
