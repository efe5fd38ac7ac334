"""The shapes in which Matrix, Slack, Mattermost and programs take a message over HTTP.

Three small documents of published interfaces: https://api.slack.com/messaging/webhooks,
https://developers.mattermost.com/integrate/webhooks/incoming/ and the client-server interface of Matrix,
https://spec.matrix.org/latest/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from notifications.models import ChannelKind, OutgoingMessage


@dataclass(frozen=True, slots=True)
class Call:
    """What is sent: ``path`` is added to the address of the webhook."""

    document: dict[str, Any]
    method: str = "POST"
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def call_for(kind: str, message: OutgoingMessage) -> Call:
    """The message in the shape of its channel."""
    text = f"{message.subject}\n\n{message.body}"
    if kind == ChannelKind.MATRIX:
        # The server drops an event whose transaction it knows: a message that is sent twice appears once.
        path = f"/send/m.room.message/{message.pk}"
        return Call({"msgtype": "m.text", "body": text}, "PUT", path)
    if kind == ChannelKind.SLACK:
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return Call({"text": escaped})
    if kind == ChannelKind.MATTERMOST:
        # As it is, without markup and without waking everybody up by a name in it.
        return Call({"text": f"```\n{text.replace('```', chr(39) * 3)}\n```".replace("@", "@\u200b")})
    document = {
        "id": str(message.pk),
        "created_at": message.created_at.isoformat(),
        "subject": message.subject,
        "body": message.body,
    }
    return Call(document, headers={"Idempotency-Key": str(message.pk)})
