"""The port to whatever delivers mail."""

from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Mail:
    """A message in plain text; `id` is the same however often it is sent, so that receivers can tell repeats."""

    id: str
    to: str
    subject: str
    text: str

    def message(self, sender: str) -> EmailMessage:
        """Return the message as RFC 5322 has it; a line break in a header is refused by the class itself."""
        message = EmailMessage()
        message["From"] = sender
        message["To"] = self.to
        message["Subject"] = self.subject
        message["Date"] = formatdate(usegmt=True)
        message["Message-ID"] = f"<{self.id}@argosy>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(self.text)
        return message


class Mailer(Protocol):
    """Delivers mail."""

    async def send(self, mail: Mail) -> None:
        """Hand a message over; raises when it was not taken, and is then asked again."""
        ...
