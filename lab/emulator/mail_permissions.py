"""Who may send mail, and from which address: a right on the identity of the sender, with `ses:FromAddress` as its key.

MiniStack holds SendEmail of SES v2 against no identity, and knows no condition key of it; on AWS a policy may name both
(Service Authorization Reference, Amazon SES v2).
"""

import json
from email.utils import parseaddr
from typing import Any

from ministack import app
from ministack.core.responses import get_account_id
from ministack.services import ses, ses_v2

_SEND_EMAIL = "/v2/email/outbound-emails"


def apply() -> None:
    enforce = app._enforce_ses_v2

    def enforce_on_the_sender(
        method: str, path: str, headers: Any, body: bytes, parameters: Any, request_id: str
    ) -> Any:
        if not app.AUTH or method != "POST" or path.rstrip("/") != _SEND_EMAIL:
            return enforce(method, path, headers, body, parameters, request_id)
        sender = parseaddr(json.loads(body).get("FromEmailAddress", ""))[1]
        region = app.extract_region(headers, parameters)
        identity = f"arn:aws:ses:{region}:{get_account_id()}:identity/{_identity_of(sender)}"
        return app._enforce_data_plane(
            "sesv2",
            "ses:SendEmail",
            headers,
            parameters,
            request_id,
            resource_arn=identity,
            service_context={"ses:FromAddress": sender},
            named_resource=identity,
        )

    app._enforce_ses_v2 = enforce_on_the_sender


def _identity_of(sender: str) -> str:
    """The identity that a sender is verified by: its address, its domain, or one above that."""
    domain = sender.rpartition("@")[2].lower()
    names = [sender, *ses._domain_and_parents(domain)]
    return next((each for each in names if each in ses_v2._identities or each in ses._identities), sender)
