"""Reading the head of a request as far as the fast path understands it; anything else goes the long way."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from argosy.serving.turnstile import LARGE_BYTES

SLUG = r"[a-z0-9][a-z0-9._-]{0,62}"
PREDICT = re.compile(
    rf"/api/v1/models/(?P<org>{SLUG})/(?P<name>{SLUG})/predict"
    rf"(?:\?(?:version=(?P<version>[1-9][0-9]{{0,8}})|alias=(?P<alias>{SLUG})))?",
    re.ASCII,
)
INFER = re.compile(
    rf"/v2/models/(?:(?P<org>{SLUG})/)?(?P<name>{SLUG})"
    rf"(?:/versions/(?:(?P<version>[1-9][0-9]{{0,8}})|(?P<alias>{SLUG})))?/infer",
    re.ASCII,
)
JSON, BYTES = b"application/json", b"application/octet-stream"
MOST_TIMEOUT = 600_000
REQUEST_ID = re.compile(rb"[\w.:-]{1,128}", re.ASCII)
SESSION_ID = re.compile(rb"[\w.:=-]{1,128}", re.ASCII)
KEY = b"Bearer ak_"
# What changes nothing about the answer.
IGNORED = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"pragma",
        b"traceparent",
        b"tracestate",
        b"user-agent",
        b"x-forwarded-for",
        b"x-real-ip",
    }
)


@dataclass(frozen=True, slots=True)
class Head:
    """What the head of a prediction says: who calls what, and how long the body is.

    `key` is the API key; `json_length` the length of an inference request's JSON before its tensors; `timeout` the
    milliseconds that the caller gives.
    """

    url: str
    host: str
    key: str = field(repr=False)
    length: int
    request_id: str | None
    json_length: str | None = None
    timeout: int | None = None
    session_id: str | None = None

    @property
    def waits_its_turn(self) -> bool:
        """Whether its body passes the turnstile: a large one, unless the request says how long it may take."""
        return self.length > LARGE_BYTES and self.timeout is None


def read_head(method: bytes, url: bytes, headers: Iterable[tuple[bytes, bytes]]) -> Head | None:
    """Return what a head says, or None when it says anything that is not plainly a prediction with an API key.

    The names of the headers are in lower case.
    """
    shown = url.decode("latin-1")
    typed = PREDICT.fullmatch(shown) is not None
    if method != b"POST" or not (typed or INFER.fullmatch(shown)):
        return None
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in IGNORED:
            continue
        if name in found:
            return None
        found[name] = value
    key = _key(found.pop(b"authorization", None), found.pop(b"x-api-key", None))
    if key is None:
        return None
    host, length, given = found.pop(b"host", b""), found.pop(b"content-length", b""), found.pop(b"x-request-id", None)
    json_length = None if typed else found.pop(b"inference-header-content-length", None)
    timeout = found.pop(b"x-request-timeout-ms", None)
    session_id = found.pop(b"x-session-id", None)
    if found.pop(b"content-type", b"" if typed else JSON) not in ((JSON,) if typed else (JSON, BYTES)):
        return None
    if found.pop(b"connection", b"keep-alive").lower() != b"keep-alive" or not _is_timeout(timeout):
        return None
    if found or not length.isdigit() or len(length) > 10 or not key.isascii():  # noqa: PLR2004 - a sane length
        return None
    if (given is not None and not REQUEST_ID.fullmatch(given)) or not _is_session(session_id):
        return None
    return Head(
        shown,
        host.decode("latin-1"),
        key.decode("ascii"),
        int(length),
        given.decode() if given else None,
        json_length.decode("latin-1") if json_length is not None else None,
        int(timeout) if timeout is not None else None,
        session_id.decode() if session_id is not None else None,
    )


def _is_session(given: bytes | None) -> bool:
    return given is None or SESSION_ID.fullmatch(given) is not None


def _key(authorization: bytes | None, key: bytes | None) -> bytes | None:
    if authorization is None:
        return key
    return authorization[7:] if key is None and authorization.startswith(KEY) else None


def _is_timeout(given: bytes | None) -> bool:
    return given is None or (given.isdigit() and len(given) < 10 and 0 < int(given) <= MOST_TIMEOUT)  # noqa: PLR2004
