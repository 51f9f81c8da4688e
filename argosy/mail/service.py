"""Mail by way of the outbox: a message is written in the transaction of what it tells, and sent after the commit.

Messages carry codes, so they are encrypted while they wait.
"""

import json
import time

from argosy.engines.mail.base import Mail, Mailer
from argosy.events.models import Event
from argosy.events.service import record
from argosy.kit.crypto import KeyRing
from argosy.kit.db.session import WriteSession

MAIL_QUEUED = "mail.queued"
PURPOSE = "mail"
PAUSE_SECONDS = 10.0


class Postbox:
    """Takes messages within a transaction."""

    def __init__(self, session: WriteSession, keys: KeyRing) -> None:
        self._session = session
        self._cipher = keys.cipher(PURPOSE)

    def post(self, to: str, subject: str, text: str) -> None:
        """Send a message once the transaction has committed, at least once."""
        sealed = self._cipher.encrypt(json.dumps({"to": to, "subject": subject, "text": text}).encode())
        record(self._session, MAIL_QUEUED, subject, None, sealed=sealed.decode())


class MailAway(RuntimeError):
    """The mail server did not take a message a moment ago, and is not asked again yet."""


class Postman:
    """Delivers what was posted.

    After a failure it lets the server be for a while: events of other kinds wait behind mails, and must not wait for
    each of them to time out.
    """

    def __init__(self, mailer: Mailer, keys: KeyRing) -> None:
        self._mailer = mailer
        self._cipher = keys.cipher(PURPOSE)
        self._away_until = 0.0

    async def deliver(self, event: Event) -> None:
        """Send the message of an event; raises what the mailer raises, or `MailAway`."""
        if time.monotonic() < self._away_until:
            raise MailAway
        opened = json.loads(self._cipher.decrypt(event.payload["sealed"].encode()))
        try:
            await self._mailer.send(Mail(str(event.id), **opened))
        except OSError:
            self._away_until = time.monotonic() + PAUSE_SECONDS
            raise
