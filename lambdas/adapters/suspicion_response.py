"""What follows a suspicion: an alarm that starts the response, a question, or neither where both are too many."""

from datetime import datetime
from typing import Literal

from lambdas.adapters.aws import AWS_ERRORS, is_transient
from lambdas.adapters.settings import Settings
from lambdas.adapters.suspicion_alarms import SuspicionAlarms
from lambdas.adapters.suspicion_questions import SuspicionQuestions
from lambdas.domain.detection import Suspicion
from lambdas.domain.estate_detection import Detection
from lambdas.domain.suspicion_text import Why

Outcome = Literal["raised", "asked", "known", "held back"]


class SuspicionResponse:
    """How one function answers. What it raises is of AWS; the suspicion is not lost then, and may be given again.

    Once CloudWatch takes no more alarms, which is after four attempts, it is `full` and asked no more.
    """

    def __init__(self, settings: Settings, detection: Detection) -> None:
        region, table = settings.region, settings["DETECTION_TABLE"]
        self.alarms = SuspicionAlarms(region, table)
        self.full = False
        self._detection = detection
        self._questions = SuspicionQuestions(region, table, settings["SECURITY_TOPIC"], settings["ESTATE_NAME"])

    def answer(self, suspicion: Suspicion, now: datetime) -> Outcome:
        """Answer as the suspicion says, or ask where the breaker has opened."""
        if suspicion.response == "ask":
            return self.ask(suspicion, "estate", now)
        claim = self.alarms.claim(suspicion, now, self._detection.automatic_an_hour)
        if claim == "too many":
            return self.ask(suspicion, "breaker", now)
        return "known" if claim == "known" else self.trip(suspicion, now, anew=claim == "again")

    def trip(self, suspicion: Suspicion, now: datetime, *, anew: bool) -> Outcome:
        """Trip the alarm of a tenant that is claimed; `held back` where a sweep has to do it later."""
        if self.full:
            self.alarms.let_wait(suspicion.tenant_id)
            return "held back"
        try:
            self.alarms.trip(suspicion, now, anew=anew)
        except AWS_ERRORS as error:
            if not is_transient(error):
                raise
            self.full = True
            return "held back"
        return "raised"

    def ask(self, suspicion: Suspicion, why: Why, now: datetime) -> Outcome:
        """Ask security; `held back` above the number of questions an hour."""
        return self._questions.ask(suspicion, why, now, self._detection.questions_an_hour)
