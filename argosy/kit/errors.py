"""The hierarchy of errors a caller can meet; each becomes an RFC 9457 problem document.

A domain declares its own in its `errors.py`: a class with a status, a stable type and a title.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import JsonValue

from argosy.signature.errors import ErrorItem


class ArgosyError(Exception):
    """An error with an answer for the caller."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"
    keeps_work: ClassVar[bool] = False  # whether what the request wrote is committed although it fails

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[ErrorItem] = (),
        headers: Mapping[str, str] | None = None,
        **extensions: JsonValue,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.extensions = extensions


class BadRequest(ArgosyError):
    """The request cannot be read."""

    status, type, title = 400, "bad-request", "Bad request"


class Unauthenticated(ArgosyError):
    """No credential, or one that does not hold."""

    status, type, title = 401, "unauthenticated", "Authentication required"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(ArgosyError):
    """The caller may see the thing but not do this to it."""

    status, type, title = 403, "forbidden", "Not permitted"


class NotFound(ArgosyError):
    """The thing does not exist, or must look so to this caller."""

    status, type, title = 404, "not-found", "Not found"


class RequestTimeout(ArgosyError):
    """The request stopped arriving, or came too slowly (RFC 9110, section 15.5.9)."""

    status, type, title = 408, "request-timeout", "Request timed out"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"Connection": "close"})


class Conflict(ArgosyError):
    """The state of things does not allow this now."""

    status, type, title = 409, "conflict", "Conflict"


class PreconditionFailed(ArgosyError):
    """The thing has changed since the caller read it (RFC 9110, If-Match)."""

    status, type, title = 412, "precondition-failed", "Changed in the meantime"


class ContentTooLarge(ArgosyError):
    """The body is above the limit."""

    status, type, title = 413, "content-too-large", "Content too large"


class TargetTooLong(ArgosyError):
    """The request target is above the limit."""

    status, type, title = 414, "uri-too-long", "URI too long"


class UnsupportedMediaType(ArgosyError):
    """The body's media type or coding is not taken here."""

    status, type, title = 415, "unsupported-media-type", "Unsupported media type"


class Invalid(ArgosyError):
    """The input was read but is not acceptable; `errors` says where."""

    status, type, title = 422, "validation-error", "Invalid input"


class HeadTooLarge(ArgosyError):
    """The request's head has too many fields or bytes (RFC 6585, section 5)."""

    status, type, title = 431, "request-header-fields-too-large", "Request header fields too large"


class MethodNotImplemented(ArgosyError):
    """CONNECT and TRACE are not for this server."""

    status, type, title = 501, "not-implemented", "Not implemented"


class VersionNotSupported(ArgosyError):
    """The request is of another version of HTTP."""

    status, type, title = 505, "http-version-not-supported", "HTTP version not supported"


class Unavailable(ArgosyError):
    """Something needed is not there for the moment; trying again is right."""

    status, type, title = 503, "unavailable", "Temporarily unavailable"

    def __init__(self, detail: str | None = None, *, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class TimedOut(ArgosyError):
    """The work took longer than it may."""

    status, type, title = 504, "timeout", "Timed out"


class InsufficientStorage(ArgosyError):
    """There is no room to keep what was sent."""

    status, type, title = 507, "insufficient-storage", "No room left"


def invalid(loc: Sequence[str | int], msg: str, kind: str = "value_error") -> Invalid:
    """Return an `Invalid` about one field."""
    return Invalid(errors=[ErrorItem(loc=list(loc), msg=msg, type=kind)])
