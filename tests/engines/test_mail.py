"""Mail: to files, to a server, and through the outbox without loss."""

import socket
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope
from sqlalchemy import select, text

from argosy.engines.mail import smtp
from argosy.engines.mail.base import Mail
from argosy.engines.mail.files import FileMailer
from argosy.engines.mail.smtp import SmtpMailer
from argosy.events.dispatcher import Courier, Dispatcher
from argosy.events.models import Event
from argosy.kit.crypto import KeyRing
from argosy.kit.db.session import Database
from argosy.mail.service import MAIL_QUEUED, MailAway, Postbox, Postman
from argosy.settings import Settings

MAIL = Mail("m-1", "ada@example.org", "Grüße", "Your code: ev_secret\n")
SENDER = "Argosy <hub@example.org>"


class Inbox:
    def __init__(self) -> None:
        self.received: list[Envelope] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        self.received.append(envelope)
        return "250 taken"


def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"argosy", b"p@ss: word"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def plain(inbox: Inbox) -> Iterator[int]:
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield controller.port
    controller.stop()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secured(inbox: Inbox, authority: trustme.CA) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    options: dict[str, Any] = {"tls_context": context, "auth_require_tls": True, "authenticator": authenticate}
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port(), auth_required=True, **options)
    controller.start()
    yield controller.port
    controller.stop()


async def test_a_mail_arrives_as_it_was_written(inbox: Inbox, plain: int) -> None:
    await SmtpMailer(f"smtp://127.0.0.1:{plain}", SENDER).send(MAIL)
    (envelope,) = inbox.received
    assert envelope.rcpt_tos == ["ada@example.org"]
    assert isinstance(envelope.content, bytes)
    assert b"Message-ID: <m-1@argosy>" in envelope.content
    assert b"ev_secret" in envelope.content


async def test_a_password_goes_over_tls_or_not_at_all(
    inbox: Inbox, plain: int, secured: int, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "TIMEOUT", 1.0)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    right, wrong = "argosy:p%40ss%3A%20word", "argosy:guess"
    await SmtpMailer(f"smtp://{right}@127.0.0.1:{secured}", SENDER, trusting).send(MAIL)
    assert len(inbox.received) == 1
    with pytest.raises(aiosmtplib.SMTPException):
        await SmtpMailer(f"smtp://{wrong}@127.0.0.1:{secured}", SENDER, trusting).send(MAIL)
    with pytest.raises((aiosmtplib.SMTPException, OSError)):
        await SmtpMailer(f"smtp://{right}@127.0.0.1:{secured}", SENDER).send(MAIL)  # an authority nobody trusts
    with pytest.raises(aiosmtplib.SMTPException):
        await SmtpMailer(f"smtp://{right}@127.0.0.1:{plain}", SENDER, trusting).send(MAIL)  # a server without TLS
    assert len(inbox.received) == 1


async def test_a_file_is_its_owners_alone_and_a_repeat_replaces_it(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    mailer = FileMailer(folder, SENDER)
    await mailer.send(MAIL)
    await mailer.send(MAIL)
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("hostile", ["a@example.org\nBcc: all@example.org", "a@example.org\r\nX: y"])
async def test_a_header_cannot_be_added(tmp_path: Path, hostile: str) -> None:
    for mail in (Mail("m", hostile, "s", "t"), Mail("m", "a@example.org", hostile, "t")):
        with pytest.raises(ValueError, match=r"linefeed|newline|header"):
            await FileMailer(tmp_path / "mail", SENDER).send(mail)


class Flaky:
    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.sent: list[Mail] = []

    async def send(self, mail: Mail) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("away")
        self.sent.append(mail)


async def test_a_posted_mail_is_kept_sealed_and_sent_until_it_is_taken(settings: Settings) -> None:
    database, keys = Database(settings.database_url, settings.database), KeyRing(b"k" * 32)
    mailer = Flaky(failures=1)
    postman = Postman(mailer, keys)
    dispatcher = Dispatcher(database, (Courier("mail", MAIL_QUEUED, postman.deliver),))
    with pytest.raises(RuntimeError):
        async with database.write() as session:
            Postbox(session, keys).post("ada@example.org", "never", "never")
            raise RuntimeError("rolled back")
    async with database.write() as session:
        Postbox(session, keys).post("ada@example.org", "once", "the code is ev_secret")
    async with database.read() as session:
        stored = str((await session.execute(text("SELECT payload FROM events"))).all())
    assert "ev_secret" not in stored
    assert "ada@example.org" not in stored
    await dispatcher.dispatch_due()
    assert mailer.sent == [], "the server was away"
    with pytest.raises(MailAway):
        async with database.read() as session:
            await postman.deliver((await session.scalars(select(Event))).one())
    postman._away_until = 0.0
    async with database.write() as session:
        await session.execute(text("UPDATE events SET next_attempt_at = created_at WHERE next_attempt_at IS NOT NULL"))
    await dispatcher.dispatch_due()
    await dispatcher.dispatch_due()
    assert [(mail.to, mail.text) for mail in mailer.sent] == [("ada@example.org", "the code is ev_secret")]
    await database.dispose()
