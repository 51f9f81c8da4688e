"""Errors as gRPC has them: a code, a message, and metadata at the end of the call."""

from collections.abc import Iterator

from grpc import StatusCode

from argosy.kit.errors import ArgosyError
from argosy.kit.web.problems import detail_of

CODES = {
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.NOT_FOUND,
    408: StatusCode.DEADLINE_EXCEEDED,
    409: StatusCode.FAILED_PRECONDITION,
    412: StatusCode.FAILED_PRECONDITION,
    429: StatusCode.RESOURCE_EXHAUSTED,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.DEADLINE_EXCEEDED,
    507: StatusCode.RESOURCE_EXHAUSTED,
}
# Percent-encoded, this still fits the 8 KiB that a client takes for all metadata.
MESSAGE_CHARACTERS = 500
HEADERS = frozenset({"retry-after", "www-authenticate"})


def code_of(error: ArgosyError) -> StatusCode:
    """Return the code for an error."""
    refused = StatusCode.INVALID_ARGUMENT if error.status < 500 else StatusCode.INTERNAL  # noqa: PLR2004 - HTTP's
    return CODES.get(error.status, refused)


def message_of(error: ArgosyError) -> str:
    """Return the detail of an error's problem document."""
    return detail_of(error)[:MESSAGE_CHARACTERS]


def metadata_of(error: ArgosyError) -> Iterator[tuple[str, str]]:
    """Yield what an error says beside its message, and its stable type."""
    yield "problem-type", f"urn:argosy:problem:{error.type}"
    for name, value in error.headers.items():
        if name.lower() in HEADERS:
            yield name.lower(), value
