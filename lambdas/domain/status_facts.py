"""The facts that the status is answered from, as `adapters/inspection.py` has them.

A fact that could not be had is `Unanswered`, and says why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from lambdas.domain.approval import Approval
from lambdas.domain.backup import CatalogRow
from lambdas.domain.estate import Estate
from lambdas.domain.lease import LeaseRow
from lambdas.domain.timeline import Reached

T = TypeVar("T")


@dataclass(frozen=True)
class Unanswered:
    """Why a fact is not known, in words that end a sentence. `refused`: AWS answered that these credentials may not."""

    why: str
    refused: bool = False


@dataclass(frozen=True)
class Key:
    """A KMS key: its state as KMS says it, and whether it does its work when these credentials ask for it."""

    state: str
    used: bool | Unanswered


@dataclass(frozen=True)
class Subscription:
    """A contact on a topic; one that never confirmed hears nothing."""

    protocol: str
    endpoint: str
    confirmed: bool


@dataclass(frozen=True)
class Alarm:
    """An alarm: its state as CloudWatch says it, and whether its actions are on."""

    state: str
    speaks: bool


@dataclass(frozen=True)
class Ran:
    """The newest execution of a scenario; times are RFC 3339. A failed one has a code, a sentence and a hint."""

    scenario: str
    id: str
    status: str
    started_at: str
    ended_at: str | None
    reason: str = ""
    user_id: str = ""
    code: str | None = None
    sentence: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class RestoreTested:
    """The newest restore test that counts (`ages.newest_test`), with its times where the record has them."""

    ended_at: datetime
    operation_id: str | None
    rto: Reached | None = None
    rpo: Reached | None = None


@dataclass(frozen=True)
class RegionFacts:
    """What one region answered, of each kind of backup that the estate has where a fact is of a kind.

    `stored` is what is wrong with the newest good backup in S3; nothing is right. `waiting` are the approvals that
    nobody has decided, of operations that run.
    """

    region: str
    catalog: list[CatalogRow] | Unanswered
    stored: Mapping[str, str | Unanswered]
    tested: Mapping[str, RestoreTested | Unanswered | None]
    ran: list[Ran] | Unanswered
    leases: list[LeaseRow] | Unanswered
    waiting: list[Approval] | Unanswered
    rules: Mapping[str, bool] | Unanswered
    functions: Mapping[str, str] | Unanswered
    alarms: Mapping[str, Alarm] | Unanswered
    contacts: Mapping[str, Sequence[Subscription]] | Unanswered
    keys: Mapping[str, Key] | Unanswered


@dataclass(frozen=True)
class VaultFacts:
    """What the nodes of a Vault said without a login: a problem with a hint, or who leads, or why none was reached."""

    leader: str | None = None
    problem: str | None = None
    hint: str | None = None
    unreached: str | None = None


@dataclass(frozen=True)
class DatabaseFacts:
    """What a PostgreSQL server said: a problem with a hint, or its major version, or why it was not reached.

    `major` comes of a login. Without one, `unproved` is why; the server's certificate has been verified all the same.
    """

    major: int | None = None
    problem: str | None = None
    hint: str | None = None
    unreached: str | None = None
    unproved: Unanswered | None = None


@dataclass(frozen=True)
class Facts:
    """All that was asked. `silent` are the regions that did not answer, and why; `read_from` gave the estate.

    `passed_over` is a region that was named, gave no estate, and is none of this one's, with the code of its answer.
    Without a database in the estate there is nothing about one.
    """

    estate: Estate
    read_from: str
    same_estate: bool
    regions: list[RegionFacts]
    silent: Mapping[str, str]
    vault: VaultFacts
    staging: VaultFacts
    passed_over: Mapping[str, str] = field(default_factory=dict)
    database: DatabaseFacts | None = None
    database_staging: DatabaseFacts | None = None


def known(fact: T | Unanswered, otherwise: T) -> T:
    """A fact, or something else where it was not had."""
    return otherwise if isinstance(fact, Unanswered) else fact
