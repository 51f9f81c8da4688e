"""Routes of platform administrators: every account."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from argosy.identity.dependencies import Administration, Paging, Search, UserEditor, UserViewer
from argosy.identity.errors import LastOwner, UserNotFound
from argosy.identity.schemas import AccountRead, AccountUpdate
from argosy.kit.errors import PreconditionFailed
from argosy.kit.pagination import CursorPage, Page, to_page
from argosy.kit.web.etag import IfMatch, tagged
from argosy.kit.web.openapi import GUARDED, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import AsSystem

router = APIRouter(
    prefix="/users",
    tags=["administration"],
    route_class=TransactionalRoute,
    responses=GUARDED,
    dependencies=[AsSystem],
)


class UserSort(StrEnum):
    """Sort orders of accounts."""

    OLDEST = "created_at"
    NEWEST = "-created_at"
    USERNAME = "username"
    USERNAME_DESCENDING = "-username"


@router.get("")
async def list_users(
    _principal: UserViewer,
    administration: Administration,
    query: Paging,
    sort: Annotated[UserSort, Query()] = UserSort.NEWEST,
    q: Search = None,
    active: Annotated[bool | None, Query(description="Only those who may sign in, or only those who may not.")] = None,
) -> Page[AccountRead] | CursorPage[AccountRead]:
    """List the accounts of the platform."""
    return to_page(await administration.list(query, sort, q, active=active), AccountRead.model_validate)


@router.get("/{user_id}", responses=problems(UserNotFound))
async def get_user(
    user_id: UUID, _principal: UserViewer, administration: Administration, response: Response
) -> AccountRead:
    """Show an account."""
    user = await administration.show(user_id)
    return tagged(response, AccountRead.model_validate(user))


@router.patch("/{user_id}", responses=problems(UserNotFound, LastOwner, PreconditionFailed))
async def update_user(
    user_id: UUID,
    body: AccountUpdate,
    _principal: UserEditor,
    administration: Administration,
    if_match: IfMatch,
    response: Response,
) -> AccountRead:
    """Disable, enable, promote or demote an account."""
    user = await administration.update(user_id, body, if_match)
    return tagged(response, AccountRead.model_validate(user))


@router.delete("/{user_id}", status_code=204, responses=problems(UserNotFound, LastOwner, PreconditionFailed))
async def delete_user(user_id: UUID, _principal: UserEditor, administration: Administration, if_match: IfMatch) -> None:
    """Delete an account with its personal organization."""
    await administration.delete(user_id, if_match)
