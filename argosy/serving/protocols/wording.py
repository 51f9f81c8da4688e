"""Refusals of the fast path: worded as problem documents are, and what many are told alike is worded once.

Under overload most requests are refused. A refusal that costs more than an answer would take the time of the answers.
"""

from dataclasses import dataclass
from functools import cached_property

from argosy.kit.errors import ArgosyError
from argosy.kit.web.problems import problem
from argosy.serving.protocols.wire import LIMITS, Field, start

COUNTED = {b"content-length", *LIMITS}
# Nobody's; the text around it is found nowhere else in JSON, where quotes in a text are escaped.
PLACE = "00000000-0000-0000-0000-000000000000"
AROUND = f'"request_id":"{PLACE}"'.encode()


@dataclass(frozen=True)
class Refusal:
    """What an error says to all who meet it; `headers` leaves out the length, and where a caller stands."""

    status: int
    headers: list[Field]
    before: bytes
    after: bytes

    def body(self, request_id: str) -> bytes:
        """Return the document for one request, whose id needs no escaping."""
        return b"".join((self.before, request_id.encode(), self.after))

    @cached_property
    def start(self) -> bytes:
        """The status line, and the fields that all get, as lines."""
        return start(self.status, self.headers)

    @classmethod
    def of(cls, error: ArgosyError, path: str) -> "Refusal":
        """Word an error."""
        response = problem(error, path, PLACE)
        headers = [(name, value) for name, value in response.raw_headers if name not in COUNTED]
        before, _, after = bytes(response.body).partition(AROUND)
        return cls(response.status_code, headers, before + b'"request_id":"', b'"' + after)


class Wording:
    """Words errors, and keeps the last one: who is refused for want of room is so with many others."""

    def __init__(self) -> None:
        self._last: tuple[ArgosyError, str, Refusal] | None = None

    def refusal(self, error: ArgosyError, path: str) -> Refusal:
        """Return what an error says about a path."""
        last = self._last
        if last is not None and last[0] is error and last[1] == path:
            return last[2]
        refusal = Refusal.of(error, path)
        self._last = (error, path, refusal)
        return refusal
