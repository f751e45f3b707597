"""The part of the estate that says what is suspicious, and what is done about it: rotate at once, or ask a person."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from lambdas.domain.parsing import Problem

Response = Literal["rotate", "ask"]
"""`rotate` starts `credential_compromise` for the tenant; `ask` tells security, who decides."""

_Count = Annotated[int, Meta(ge=1, le=100_000)]
_Name = Annotated[str, Meta(min_length=1, max_length=200)]


class FailedLogins(Struct, frozen=True, forbid_unknown_fields=True):
    """More than so many failed logins at a tenant's mail server in so many minutes. Anybody can cause them."""

    response: Response = "ask"
    more_than: _Count = 100
    minutes: Annotated[int, Meta(ge=1, le=60)] = 10


class LoginNetworks(Struct, frozen=True, forbid_unknown_fields=True):
    """One mailbox logged in to from more than so many networks (/24, /48) in an hour."""

    response: Response = "rotate"
    more_than: _Count = 5


class Sending(Struct, frozen=True, forbid_unknown_fields=True):
    """More than `at_least` messages in an hour, and more than so many times what the tenant's busiest hour had."""

    response: Response = "rotate"
    times_usual: Annotated[int, Meta(ge=2, le=1000)] = 3
    at_least: _Count = 500


class CredentialReads(Struct, frozen=True, forbid_unknown_fields=True):
    """More than so many credentials read in Vault by one person in an hour (`platform-facts.md`: 5)."""

    response: Response = "ask"
    more_than: _Count = 5


class Single(Struct, frozen=True, forbid_unknown_fields=True):
    """What is suspicious when it happens once."""

    response: Response = "ask"


class Detection(Struct, frozen=True, forbid_unknown_fields=True):
    """What in the logs of Mailu and Vault points to a leaked credential.

    `account` is the local part of each tenant's own mailbox, whose password Mailark rotates: what points to another
    mailbox is asked. `services` are readers of credentials that are no persons, by their display name or entity id in
    Vault's audit log. After `automatic_an_hour` rotations in an hour the next ones are asked, and after
    `questions_an_hour` questions the next ones are told together.
    """

    account: _Name = "admin"
    services: list[_Name] = []
    automatic_an_hour: Annotated[int, Meta(ge=0, le=100_000)] = 20
    questions_an_hour: Annotated[int, Meta(ge=1, le=1000)] = 20
    failed_logins: FailedLogins = FailedLogins()
    login_networks: LoginNetworks = LoginNetworks()
    sending: Sending = Sending()
    credential_reads: CredentialReads = CredentialReads()
    night_reads: Single = Single()
    reset_without_incident: Single = Single()


def check_detection(detection: Detection, key: str) -> None:
    """What the shape alone does not show; `key` is where it stands, such as `credentials.detection`. Raises `Problem`.

    Who can fail to log in could otherwise have credentials rotated at will.
    """
    if detection.failed_logins.response == "rotate":
        problem = "expected ask: anybody on the internet can cause failed logins, and would cause rotations at will"
        raise Problem(f"{key}.failed_logins.response", problem)
