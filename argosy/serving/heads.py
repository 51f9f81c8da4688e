"""Reading the head of a request as far as the fast path understands it; anything else goes the long way."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

PATH = re.compile(
    r"/api/v1/models/(?P<org>[a-z0-9][a-z0-9._-]{0,62})/(?P<name>[a-z0-9][a-z0-9._-]{0,62})/predict"
    r"(?:\?(?:version=(?P<version>[1-9][0-9]{0,8})|alias=(?P<alias>[a-z0-9][a-z0-9._-]{0,62})))?",
    re.ASCII,
)
REQUEST_ID = re.compile(rb"[\w.:-]{1,128}", re.ASCII)
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
    """What the head of a prediction says: who calls what, and how long the body is. `key` is the API key."""

    url: str
    host: str
    key: str = field(repr=False)
    length: int
    request_id: str | None


def read_head(method: bytes, url: bytes, headers: Iterable[tuple[bytes, bytes]]) -> Head | None:
    """Return what a head says, or None when it says anything that is not plainly a prediction with an API key.

    The names of the headers are in lower case.
    """
    if method != b"POST" or not PATH.fullmatch(shown := url.decode("latin-1")):
        return None
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in IGNORED:
            continue
        if name in found:
            return None
        found[name] = value
    authorization, key = found.pop(b"authorization", None), found.pop(b"x-api-key", None)
    if authorization is not None and key is None and authorization.startswith(KEY):
        key = authorization[7:]
    elif authorization is not None or key is None:
        return None
    host, length, given = found.pop(b"host", b""), found.pop(b"content-length", b""), found.pop(b"x-request-id", None)
    if (
        found.pop(b"content-type", b"") != b"application/json"
        or found.pop(b"connection", b"keep-alive") != b"keep-alive"
    ):
        return None
    if found or not length.isdigit() or len(length) > 10 or not key.isascii():  # noqa: PLR2004 - a sane length
        return None
    if given is not None and not REQUEST_ID.fullmatch(given):
        return None
    return Head(shown, host.decode("latin-1"), key.decode("ascii"), int(length), given.decode() if given else None)
