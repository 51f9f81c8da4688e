"""Routes of usage."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import StreamingResponse

from argosy.kit.clock import today
from argosy.kit.db.tenancy import Actor
from argosy.kit.errors import invalid
from argosy.kit.pagination import PageQuery, page_query
from argosy.kit.principal import Principal, Scope
from argosy.kit.schemas import Slug
from argosy.kit.sides import Side
from argosy.kit.web.csv import CSV, AsCsv, also_csv, attached
from argosy.kit.web.entrance import require_scope
from argosy.kit.web.openapi import GUARDED, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import requires
from argosy.kit.web.sessions import Read
from argosy.usage.errors import TooManyStreams
from argosy.usage.live import Places, UsageStream
from argosy.usage.schemas import GroupBy, UsageCursorPage, UsageFilter, UsagePage, UsageSort
from argosy.usage.service import UsageReader, columns

router = APIRouter(prefix="/usage", tags=["usage"], route_class=TransactionalRoute, responses=GUARDED)
Reader = Annotated[Principal, requires(Scope.USAGE_READ)]
DEFAULT_GROUPS = {
    Side.CUSTOMER: [GroupBy.KEY, GroupBy.VERSION, GroupBy.PRODUCT, GroupBy.DAY],
    Side.VENDOR: [GroupBy.CUSTOMER, GroupBy.PRODUCT, GroupBy.MODEL, GroupBy.DAY],
}


def usage_filter(
    principal: Reader,
    side: Annotated[
        Side, Query(alias="as", description="`vendor`: what others used of your products; it needs `sales:read`, too.")
    ] = Side.CUSTOMER,
    since: Annotated[date | None, Query(description="First day, UTC.")] = None,
    until: Annotated[date | None, Query(description="Last day, UTC.")] = None,
    model: Annotated[str | None, Query(max_length=130, examples=["ada/iris"])] = None,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Only of versions with this number.")] = None,
    key: Annotated[UUID | None, Query(description="Only of this API key, client or user, by id.")] = None,
    product: Annotated[UUID | None, Query(description="Only under this product, by id.")] = None,
    customer: Annotated[Slug | None, Query(description="Only of this organization, for a vendor.")] = None,
) -> UsageFilter:
    """Read which usage is wanted; raises `Forbidden`, or `Invalid` for what is the other side's to ask."""
    if side is Side.VENDOR:
        require_scope(principal, Scope.SALES_READ)
    foreign = {Side.CUSTOMER: ("customer", customer), Side.VENDOR: ("key", key)}[side]
    if foreign[1] is not None:
        raise invalid(["query", foreign[0]], f"a {side} cannot ask by {foreign[0]}")
    return UsageFilter(side, since, until, model, version, key, product, customer)


async def place(request: Request, principal: Reader) -> AsyncIterator[None]:
    """Hold one of the organization's streams until the answer has ended."""
    places: Places = request.app.state.usage_streams
    with places.taken(principal.organization_id):
        yield


async def place_of_export(request: Request, principal: Reader, as_csv: AsCsv) -> AsyncIterator[None]:
    """Hold one of the organization's exports, each of which keeps a connection to the database, while there is one."""
    if not as_csv:
        yield
        return
    places: Places = request.app.state.usage_exports
    with places.taken(principal.organization_id):
        yield


@router.get(
    "",
    response_model=UsagePage | UsageCursorPage,
    responses=also_csv("Usage") | problems(TooManyStreams),
    dependencies=[Depends(place_of_export)],
)
async def get_usage(
    principal: Reader,
    session: Read,
    request: Request,
    query: Annotated[PageQuery, Depends(page_query)],
    only: Annotated[UsageFilter, Depends(usage_filter)],
    as_csv: AsCsv,
    group_by: Annotated[
        list[GroupBy] | None,
        Query(max_length=5, description="Repeat it to group by several."),
    ] = None,
    sort: Annotated[UsageSort | None, Query(description="By what it is grouped by, if left out.")] = None,
) -> Response | UsagePage | UsageCursorPage:
    """Show what your organization used: calls, rows, errors and latency, by key, model version, product and day.

    A vendor sees what others used of its products, by customer.
    """
    groups = group_by or DEFAULT_GROUPS[only.side]
    if as_csv:
        return _download(request, principal, groups, only, sort)
    return await UsageReader(session).page(principal, groups, only, query, sort)


def _download(
    request: Request, principal: Principal, group_by: list[GroupBy], only: UsageFilter, sort: UsageSort | None
) -> StreamingResponse:
    columns(group_by, sort, only.side)  # refuses what cannot be sorted while there still is a status to say it with

    async def parts() -> AsyncIterator[bytes]:
        # The request's transaction ends before the body is sent: a stream reads in one of its own.
        async with request.app.state.database.read(Actor.of(principal)) as session:
            async for part in UsageReader(session).export(principal, group_by, only, sort):
                yield part

    return StreamingResponse(parts(), media_type=CSV, headers=attached(f"usage-{today()}.csv"))


@router.get(
    "/live", response_class=EventSourceResponse, responses=problems(TooManyStreams), dependencies=[Depends(place)]
)
async def watch_usage(principal: Reader, request: Request) -> AsyncIterator[ServerSentEvent]:
    """Watch what your organization uses: an event `usage` each second, `end` when you may no longer."""
    async for event in UsageStream(request, principal).events():
        yield event
