"""Reading the mail that embedded mode writes to files."""

import asyncio
import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from fastapi import FastAPI

CODE = re.compile(r"\b(?:ev|pr|in)_[\w-]+")


def mailbox(app: FastAPI, address: str) -> list[EmailMessage]:
    folder: Path = app.state.settings.data.dir / "mail"
    found = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in sorted(folder.glob("*.eml"))]
    return [message for message in found if message["To"] == address]


async def mailed(app: FastAPI, address: str, count: int = 1) -> EmailMessage:
    """Wait for the `count`-th mail to an address."""
    for _ in range(200):
        messages = mailbox(app, address)
        if len(messages) >= count:
            return messages[count - 1]
        await asyncio.sleep(0.05)
    raise AssertionError(f"{address} has {[str(message['Subject']) for message in mailbox(app, address)]}")


def codes(app: FastAPI, address: str, prefix: str) -> list[str]:
    """Return the codes of one kind that an address was sent; mails of other kinds may come in between."""
    found = (CODE.search(message.get_content()) for message in mailbox(app, address))
    return [match.group() for match in found if match and match.group().startswith(prefix)]


async def coded(app: FastAPI, address: str, prefix: str, count: int = 1) -> str:
    """Wait for the `count`-th code of a kind that an address is sent."""
    for _ in range(200):
        found = codes(app, address, prefix)
        if len(found) >= count:
            return found[count - 1]
        await asyncio.sleep(0.05)
    raise AssertionError(f"{address} has {len(codes(app, address, prefix))} codes of the kind {prefix}")


def code_in(message: EmailMessage) -> str:
    match = CODE.search(message.get_content())
    assert match, message.get_content()
    return match.group()


async def idle(app: FastAPI) -> None:
    """Wait until every event has reached its consumers."""
    while await app.state.dispatcher.dispatch_due():
        pass
