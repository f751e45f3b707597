"""Notices by Amazon SES, one mail a recipient, and a table that remembers which of them were sent.

At least once: a notice is remembered after SES has taken it. Who dies between the two, or loses SES's answer, sends it
again at the next run. The other way round a claim would stand for a mail that was never sent.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.aws import AWS_ERRORS, client, error_code, is_transient, unavailable
from lambdas.adapters.tables import all_items, to_item
from lambdas.domain.alert import Message
from lambdas.domain.notice import Recipient, Told

_AUTOMATIC = [{"Name": "Auto-Submitted", "Value": "auto-generated"}]
"""RFC 3834: no machine answers it, such as an absence note."""


class MailNotices:
    """The notices of one region: its table, and `sender`, an address that SES may send from there."""

    def __init__(self, region: str, table: str, sender: str) -> None:
        self._table, self._sender = table, sender
        self._dynamo: Any = client("dynamodb", region)
        self._mail: Any = client("sesv2", region)

    def send(self, notice_of: str, to: Sequence[Recipient], notice: Message, at: datetime) -> list[Told]:
        """Send a notice to those who have not got it yet, and say what became of each.

        `notice_of` is what it belongs to: sent once for it to each recipient, and tried again while it is refused. One
        that SES refuses is no error and keeps nobody else from being told. Raises `AwsUnavailable` where SES or
        DynamoDB may answer later.
        """
        try:
            got = self._sent(notice_of)
            return [self._tell(notice_of, each, notice, at, each.address.lower() in got) for each in to]
        except AWS_ERRORS as error:
            if is_transient(error):
                raise unavailable(error) from None
            raise

    def _sent(self, notice_of: str) -> set[str]:
        rows = all_items(
            self._dynamo.query,
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="operation = :operation",
            ExpressionAttributeValues=to_item({":operation": notice_of}),
        )
        return {row["recipient"] for row in rows}

    def _tell(self, notice_of: str, to: Recipient, notice: Message, at: datetime, got_it: bool) -> Told:
        if not got_it:
            try:
                message_id = self._mail.send_email(
                    FromEmailAddress=self._sender,
                    Destination={"ToAddresses": [to.address]},
                    Content={
                        "Simple": {
                            "Subject": {"Data": notice.subject, "Charset": "UTF-8"},
                            "Body": {"Text": {"Data": notice.body, "Charset": "UTF-8"}},
                            "Headers": _AUTOMATIC,
                        }
                    },
                )["MessageId"]
            except ClientError as error:
                if is_transient(error):
                    raise
                return Told(to.address, "refused", to.out_of_band, error_code(error))
            row = {
                "operation": notice_of,
                "recipient": to.address.lower(),
                "message_id": message_id,
                "sent_at": at.isoformat(),
            }
            self._dynamo.put_item(TableName=self._table, Item=to_item(row))
        return Told(to.address, "sent", to.out_of_band)
