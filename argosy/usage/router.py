"""Routes of usage."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from argosy.kit.principal import Principal, Scope
from argosy.kit.web.openapi import GUARDED
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import requires
from argosy.kit.web.sessions import Read
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
