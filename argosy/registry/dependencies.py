"""What the registry's routes are given."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request

from argosy.kit.db.tenancy import Actor
from argosy.kit.pagination import PageQuery, page_query
from argosy.kit.principal import Principal, Scope
from argosy.kit.schemas import Slug
from argosy.kit.web.security import requires
from argosy.registry.service import ModelReader
from argosy.registry.uploads import Received, receive

Reader = Annotated[Principal, requires(Scope.MODELS_READ)]
Editor = Annotated[Principal, requires(Scope.MODELS_WRITE)]
Paging = Annotated[PageQuery, Depends(page_query)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="Version number.")]
Search = Annotated[str | None, Query(max_length=200, description="Text in the name or description.")]


async def received(request: Request, org: Slug, name: Slug, principal: Editor) -> Received:
    """Receive an upload for a model that the caller may change.

    The model is looked up first, in a transaction of its own, so that a stranger's gigabyte is refused before it is
    read and no transaction is open while it is.
    """
    async with request.app.state.database.read(Actor.of(principal)) as session:
        await ModelReader(session).get_writable(principal, org, name)
    return await receive(request, request.app.state.store)


Upload = Annotated[Received, Depends(received)]
