"""Signed webhooks: `t=<seconds>,v1=<hex>`, an HMAC-SHA256 of `<seconds>.<body>`, as Stripe's are.

The time is signed with the body, so that what was overheard is not good for long.
"""

import hmac
from collections.abc import Iterable
from hashlib import sha256

SCHEME = "v1"
MAX_HEADER = 4096
MAX_TIME = 15  # digits


class SignatureRefused(Exception):
    """A message was not signed with a known secret, or too long ago."""


def sign(secret: bytes, body: bytes, at: int) -> str:
    """Return the header that signs a body at a time."""
    return f"t={at},{SCHEME}={_digest(secret, body, str(at))}"


def verify(secrets: Iterable[bytes], header: str | None, body: bytes, *, at: float, tolerance: float) -> None:
    """Raise `SignatureRefused` unless a secret signed a body within the tolerance of a time."""
    if not header or len(header) > MAX_HEADER or not header.isascii():
        raise SignatureRefused("it has no signature")
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == SCHEME]
    if len(times) != 1 or not times[0].isdigit() or len(times[0]) > MAX_TIME or not given:
        raise SignatureRefused("its signature cannot be read")
    expected = [_digest(secret, body, times[0]) for secret in secrets]
    # Every pair is compared, each in constant time: how long it takes tells nothing.
    matches = [hmac.compare_digest(one, other) for one in expected for other in given]
    if not any(matches):
        raise SignatureRefused("its signature is not the provider's")
    if abs(at - int(times[0])) > tolerance:
        raise SignatureRefused("it was signed too long ago, or by a clock that is wrong")


def _digest(secret: bytes, body: bytes, at: str) -> str:
    return hmac.new(secret, at.encode() + b"." + body, sha256).hexdigest()
