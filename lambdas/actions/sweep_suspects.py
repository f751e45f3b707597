"""See to every tenant that is suspected: trip its alarm again where nobody has answered, and remove what was answered.

Started every minute, not by a state machine: an alarm that is in ALARM already sends no second event, a function may
die between a claim and its alarm, and CloudWatch takes three new alarms a second.
"""

from collections import Counter
from typing import Literal

from msgspec import Struct

from lambdas.adapters.aws import AWS_ERRORS
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.leases import Leases
from lambdas.adapters.suspicion_alarms import SuspicionAlarms
from lambdas.adapters.suspicion_response import SuspicionResponse
from lambdas.domain.estate_detection import Detection
from lambdas.domain.suspect import Step, Suspect, next_step, tenant_lease

_ENOUGH_SECONDS = 15.0
"""No other suspect is begun with less than this left: the next sweep goes on."""


class SweepSuspects(Struct, frozen=True):
    pass


class SuspectsSwept(Struct, frozen=True):
    """How many alarms were tripped, were removed with their claims, were given over to a person, and still wait."""

    tripped: int
    ended: int
    given_up: int
    waiting: int


@action(SweepSuspects)
def handler(request: SweepSuspects, run: Run) -> SuspectsSwept:
    settings = run.settings
    suspects = list(SuspicionAlarms(settings.region, settings["DETECTION_TABLE"]).suspects())
    if not suspects:
        return SuspectsSwept(0, 0, 0, 0)
    credentials = read_estate(settings.region).credentials
    response = SuspicionResponse(settings, credentials.detection if credentials else Detection())
    leases = {row.target: row for row in Leases(settings.region, settings["LEASES_TABLE"]).rows()}
    done: Counter[str] = Counter()
    problems: list[Exception] = []
    for suspect in suspects:
        step = next_step(suspect, leases.get(tenant_lease(suspect.tenant_id)), run.now())
        if run.seconds_left() < _ENOUGH_SECONDS or (step == "raise" and response.full):
            done["wait"] += step == "raise"
            continue
        try:
            done[_do(step, suspect, response, run)] += 1
        except AWS_ERRORS as problem:  # one must not hold up the others; raised when all are through
            problems.append(problem)
    if done["wait"]:
        response.alarms.tell_held_back(done["wait"])
    if problems:
        raise problems[0]
    return SuspectsSwept(done["raise"], done["end"], done["give up"], done["wait"])


def _do(step: Step, suspect: Suspect, response: SuspicionResponse, run: Run) -> Step | Literal["wait"]:
    """Do a step; what came of it in the end."""
    alarms, now = response.alarms, run.now()
    if step == "raise":
        unanswered = suspect.state == "raised"
        mine = alarms.take_unanswered(suspect, now) if unanswered else alarms.take(suspect.tenant_id, now)
        if not mine:
            return "leave"
        return "raise" if response.trip(suspect.suspicion, now, anew=True) == "raised" else "wait"
    if step == "note":
        alarms.note_answer(suspect.tenant_id)
    elif step == "give up":
        response.ask(suspect.suspicion, "unanswered", now)
        alarms.end(suspect, now)
    elif step == "end":
        alarms.end(suspect, now)
    return step
