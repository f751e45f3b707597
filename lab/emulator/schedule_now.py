"""A way for the lab to let a schedule's time come: `POST /_lab/schedule/{region}/{rule}`.

The rule's last firing is set so far back that its time has come since, whatever the day of the week, and the emulator's
own scheduler then finds it due: it fires the deployed rule at its deployed target with its deployed input, as it would
have done at the hour. A rule that is off stays off. At no other time does a rule with a cron expression fire: what
a test sees must not depend on when it runs. Two firings of a rule never fall into one second, which is what the time of
an event counts in: they would be one run of the schedule, told twice.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from ministack import app
from ministack.core.responses import get_account_id
from ministack.services import eventbridge

_PREFIX = "/_lab/schedule/"
_BACK = timedelta(days=40)
"""Longer than from the first Sunday of a month to that of the next."""


def apply() -> None:
    serve = app.app

    async def serve_with_lab(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith(_PREFIX):
            region, _, rule = scope["path"].removeprefix(_PREFIX).partition("/")
            await _answer(send, 200 if await _make_due(region, rule) else 404)
            return
        await serve(scope, receive, send)

    next_fire = eventbridge._cron_next_fire

    def next_fire_if_let_come(fields: Any, last: datetime) -> Any:
        return next_fire(fields, last) if datetime.now(UTC) - last >= _BACK else None

    app.app = serve_with_lab
    eventbridge._cron_next_fire = next_fire_if_let_come
    eventbridge._SCHEDULER_TICK_INTERVAL = 0.5


async def _make_due(region: str, rule: str) -> bool:
    for account, of_region, key in eventbridge._rules._data:
        found = eventbridge._rules._data[account, of_region, key]
        if of_region == region and found["Name"] == rule and account == get_account_id():
            fired = int(eventbridge._rule_last_fired.get((account, of_region, key), 0))
            while int(time.time()) == fired:
                await asyncio.sleep(0.05)
            eventbridge._rule_last_fired[account, of_region, key] = (datetime.now(UTC) - _BACK).timestamp()
            return True
    return False


async def _answer(send: Any, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})
