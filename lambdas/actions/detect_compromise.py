"""Look at new lines of Mailu's and Vault's logs for credentials that may have leaked, and have the response start.

Started by CloudWatch Logs for each batch of lines, not by a state machine: it sees what nobody announces.
"""

from msgspec import Struct

from lambdas.adapters.aws import AWS_ERRORS
from lambdas.adapters.detection_windows import DetectionWindows
from lambdas.adapters.lambda_handler import Run, action, logger
from lambdas.adapters.log_delivery import LogDelivery, read_delivery
from lambdas.adapters.recent_estate import recent_estate
from lambdas.adapters.suspicion_response import Outcome, SuspicionResponse
from lambdas.domain.credential import check_tenant_id
from lambdas.domain.detection import MAILU_LOGS, VAULT_LOGS, Sighting, Suspicion, by_slot, see_mailu, see_vault
from lambdas.domain.estate_detection import Detection
from lambdas.domain.mailu_errors import TenantIdInvalid


class Payload(Struct, frozen=True):
    """A batch of lines of one stream, packed."""

    data: str


class DetectCompromise(Struct, frozen=True):
    awslogs: Payload


class CompromiseDetected(Struct, frozen=True):
    """How many lines came, were of no tenant's log, and were counted for a signal; and what followed."""

    lines: int
    ignored: int = 0
    counted: int = 0
    raised: int = 0
    asked: int = 0
    held_back: int = 0


@action(DetectCompromise)
def handler(request: DetectCompromise, run: Run) -> CompromiseDetected:
    delivery, estate = read_delivery(request.awslogs.data), recent_estate(run.settings.region)
    lines = len(delivery.events)
    detection = estate.credentials.detection if estate.credentials else None
    seen = _seen(delivery, detection, estate.vault.canary) if detection else None
    if detection is None or seen is None:
        logger.warning("lines of no tenant", lines=lines, group=delivery.group, stream=ascii(delivery.stream)[:60])
        return CompromiseDetected(lines, ignored=lines)
    windows = DetectionWindows(run.settings.region, run.settings["DETECTION_TABLE"])
    response = SuspicionResponse(run.settings, detection)
    counted = 0
    suspicions: list[Suspicion] = []
    outcomes: list[Outcome] = []
    problems: list[Exception] = []  # one tenant must not hold up the others; raised when all are through
    for slot, sightings in by_slot(seen, detection).items():
        try:
            new, found = windows.add(slot, sightings, detection, run.now())
        except AWS_ERRORS as problem:
            problems.append(problem)
        else:
            counted += new
            suspicions += found
    for suspicion in suspicions:
        try:
            outcomes.append(response.answer(suspicion, run.now()))
        except AWS_ERRORS as problem:
            problems.append(problem)
    raised, asked, held_back = (outcomes.count(each) for each in ("raised", "asked", "held back"))
    if suspicions:
        logger.warning("suspicions", raised=raised, asked=asked, held_back=held_back, known=outcomes.count("known"))
    if held_back:
        response.alarms.tell_held_back(held_back)
    if problems:
        raise problems[0]
    return CompromiseDetected(lines, 0, counted, raised, asked, held_back)


def _seen(delivery: LogDelivery, detection: Detection, canary: str) -> list[Sighting] | None:
    """What the lines show; None where they are of no tenant, or of a log that is not looked at."""
    if delivery.group == VAULT_LOGS:
        return see_vault(delivery.events, detection, canary)
    if delivery.group != MAILU_LOGS:
        return None
    try:
        tenant = check_tenant_id(delivery.stream.partition("/")[0])
    except TenantIdInvalid:
        return None
    return see_mailu(tenant, delivery.events)
