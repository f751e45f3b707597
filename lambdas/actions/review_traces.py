"""List what an intruder may have left in a tenant's Mailu: no new password ends it, and a person has to judge it."""

from dataclasses import dataclass

from lambdas.adapters.credential_target import mailu_of
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.mailu_traces import read_traces
from lambdas.adapters.work_store import WorkStore
from lambdas.domain.operation import Operation
from lambdas.domain.security_alert import Trace, new_since

_TOLD = 200
"""So many are passed on; all of them lie in the work bucket. A state's payload has room for some more."""


@dataclass(frozen=True)
class ReviewTraces:
    operation: Operation
    tenant_id: str


@dataclass(frozen=True)
class TracesReviewed:
    """`email` is whose mailbox it is; `traces` are the first of all that is there, `record` the key of the whole list.

    `known_good_at` is the time of the list that they were compared with; None: there was none.
    """

    email: str
    count: int
    traces: list[Trace]
    known_good_at: str | None
    record: str


@action(ReviewTraces)
def handler(request: ReviewTraces, run: Run) -> TracesReviewed:
    settings = run.settings
    with mailu_of(run, request.tenant_id) as (api, email):
        found = read_traces(api, email)
    traces = list(new_since(found, None))
    record = WorkStore(settings.region, settings["WORK_BUCKET"]).put(request.operation.id, "traces", found)
    return TracesReviewed(email, len(traces), traces[:_TOLD], None, record)
