"""Routes of usage."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from argosy.kit.principal import Principal, Scope
from argosy.kit.web.openapi import GUARDED, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import requires
from argosy.kit.web.sessions import Read
from argosy.usage.errors import TooManyStreams
from argosy.usage.live import Places, UsageStream
from argosy.usage.schemas import GroupBy, UsageRead
from argosy.usage.service import UsageReader

router = APIRouter(prefix="/usage", tags=["usage"], route_class=TransactionalRoute, responses=GUARDED)
Reader = Annotated[Principal, requires(Scope.USAGE_READ)]
DEFAULT_GROUPS = [GroupBy.KEY, GroupBy.VERSION, GroupBy.DAY]


@router.get("")
async def get_usage(
    principal: Reader,
    session: Read,
    group_by: Annotated[
        list[GroupBy], Query(max_length=4, description="Repeat it to group by several.")
    ] = DEFAULT_GROUPS,
    since: Annotated[date | None, Query(description="First day, UTC.")] = None,
    until: Annotated[date | None, Query(description="Last day, UTC.")] = None,
    model: Annotated[str | None, Query(max_length=130, examples=["ada/iris"])] = None,
) -> UsageRead:
    """Show what your organization used: calls and rows, by key, model version and day."""
    return await UsageReader(session).totals(principal, group_by, since=since, until=until, model=model)


async def place(request: Request, principal: Reader) -> AsyncIterator[None]:
    """Hold one of the organization's streams until the answer has ended."""
    places: Places = request.app.state.usage_streams
    with places.taken(principal.organization_id):
        yield


@router.get(
    "/live", response_class=EventSourceResponse, responses=problems(TooManyStreams), dependencies=[Depends(place)]
)
async def watch_usage(principal: Reader, request: Request) -> AsyncIterator[ServerSentEvent]:
    """Watch what your organization uses: an event `usage` each second, `end` when you may no longer."""
    async for event in UsageStream(request, principal).events():
        yield event
