"""Mail by way of the outbox: a message is written in the transaction of what it tells, and sent after the commit.

Messages carry codes, so they are encrypted while they wait.
"""

import json

from argosy.engines.mail.base import Mail, Mailer
from argosy.events.models import Event
from argosy.events.service import record
from argosy.kit.crypto import KeyRing
from argosy.kit.db.session import WriteSession

MAIL_QUEUED = "mail.queued"
PURPOSE = "mail"


class Postbox:
    """Takes messages within a transaction."""

    def __init__(self, session: WriteSession, keys: KeyRing) -> None:
        self._session = session
        self._cipher = keys.cipher(PURPOSE)

    def post(self, to: str, subject: str, text: str) -> None:
        """Send a message once the transaction has committed, at least once."""
        sealed = self._cipher.encrypt(json.dumps({"to": to, "subject": subject, "text": text}).encode())
        record(self._session, MAIL_QUEUED, subject, None, sealed=sealed.decode())


class Postman:
    """Delivers what was posted."""

    def __init__(self, mailer: Mailer, keys: KeyRing) -> None:
        self._mailer = mailer
        self._cipher = keys.cipher(PURPOSE)

    async def deliver(self, event: Event) -> None:
        """Send the message of an event."""
        opened = json.loads(self._cipher.decrypt(event.payload["sealed"].encode()))
        await self._mailer.send(Mail(str(event.id), **opened))
