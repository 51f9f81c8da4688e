"""ETag and If-Match (RFC 9110): the revision of a row, so that an update does not overwrite one it has not seen."""

import re
from typing import Annotated, Protocol, TypeVar

from fastapi import Depends, Header
from starlette.responses import Response

from argosy.kit.errors import PreconditionFailed, invalid


class Revised(Protocol):
    """What is shown with its revision."""

    @property
    def revision(self) -> int:
        """Which one it is."""
        ...


R = TypeVar("R", bound=Revised)
_ETAG = re.compile(r'^\s*(?:W/)?"([^"]*)"\s*$')


class Precondition:
    """What an update expects the thing's revision to be."""

    def __init__(self, etags: frozenset[str] | None) -> None:
        self._etags = etags

    def check(self, revision: int) -> None:
        """Raise `PreconditionFailed` when the thing has another revision."""
        if self._etags is not None and str(revision) not in self._etags:
            raise PreconditionFailed("it has changed since you read it; read it again")


def precondition(
    if_match: Annotated[str | None, Header(max_length=1000, description="ETag the thing must still have.")] = None,
) -> Precondition:
    """Read If-Match."""
    if if_match is None or if_match.strip() == "*":
        return Precondition(None)
    matches = [_ETAG.match(part) for part in if_match.split(",")]
    if not all(matches):
        raise invalid(["header", "If-Match"], 'must be "*" or quoted ETags')
    return Precondition(frozenset(match.group(1) for match in matches if match))


def tagged(response: Response, shown: R) -> R:
    """Return what is shown, its response given the ETag of its revision."""
    response.headers["ETag"] = f'"{shown.revision}"'
    return shown


IfMatch = Annotated[Precondition, Depends(precondition)]
