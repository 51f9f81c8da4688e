"""Mail through an SMTP server (RFC 5321), encrypted wherever the server can."""

import ssl
from urllib.parse import unquote, urlsplit

import aiosmtplib

from argosy.engines.mail.base import Mail

TIMEOUT = 10.0
SUBMISSION, SUBMISSIONS = 587, 465


class SmtpMailer:
    """Hands messages to the server of an `smtp://` or `smtps://` URL."""

    def __init__(self, url: str, sender: str, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._sender = sender
        self._host = parts.hostname or "localhost"
        self._secure = parts.scheme == "smtps"
        self._port = parts.port or (SUBMISSIONS if self._secure else SUBMISSION)
        self._username = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._tls = tls or ssl.create_default_context()

    async def send(self, mail: Mail) -> None:
        """Send a message; raises `aiosmtplib.SMTPException` or `OSError` when it was not taken."""
        await aiosmtplib.send(
            mail.message(self._sender),
            hostname=self._host,
            port=self._port,
            username=self._username,
            password=self._password,
            use_tls=self._secure,
            # A password never goes over a connection in the clear; a relay without one may be on this machine.
            start_tls=None if self._secure or self._username is None else True,
            tls_context=self._tls,
            timeout=TIMEOUT,
        )
