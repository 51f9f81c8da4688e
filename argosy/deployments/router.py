"""Routes of deployments."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from argosy.deployments.schemas import DeploymentRead, DeploymentSet, ShadowRead, ShadowReport
from argosy.deployments.service import DeploymentReader, DeploymentService, shown
from argosy.kit.errors import PreconditionFailed
from argosy.kit.outgoing import Outgoing, TargetRefused
from argosy.kit.principal import Principal, Scope
from argosy.kit.schemas import Slug
from argosy.kit.web.etag import IfMatch, tagged
from argosy.kit.web.openapi import GUARDED, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import requires
from argosy.kit.web.sessions import Read, Write
from argosy.registry.errors import ModelNotFound
from argosy.registry.service import ModelReader

router = APIRouter(
    prefix="/models/{org}/{name}/deployment",
    tags=["models"],
    route_class=TransactionalRoute,
    responses=GUARDED | problems(ModelNotFound),
)
# Which versions are tried, and where a model runs, is for those who deploy it.
Editor = Annotated[Principal, requires(Scope.MODELS_WRITE)]


async def checked(body: DeploymentSet, _principal: Editor, request: Request) -> DeploymentSet:
    """Return the body, its backend's address checked: looking names up must not keep a transaction waiting."""
    outgoing: Outgoing = request.app.state.outgoing
    if body.backend is not None:
        await outgoing.check(body.backend.url)
    return body


Checked = Annotated[DeploymentSet, Depends(checked)]


@router.get("")
async def get_deployment(
    org: Slug, name: Slug, principal: Editor, session: Read, request: Request, response: Response
) -> DeploymentRead:
    """Show how a model is served."""
    model = await ModelReader(session).get_writable(principal, org, name)
    return tagged(response, shown(await DeploymentReader(session).get(model), request.app.state.keys))


@router.put("", responses=problems(PreconditionFailed, TargetRefused))
async def set_deployment(
    org: Slug,
    name: Slug,
    principal: Editor,
    body: Checked,
    session: Write,
    if_match: IfMatch,
    request: Request,
    response: Response,
) -> DeploymentRead:
    """Say which versions answer, each for its part of the callers; which one is tried; how, and where they run."""
    state = request.app.state
    model = await ModelReader(session).get_writable(principal, org, name)
    return tagged(response, shown(await DeploymentService(session, state.keys).set(model, body, if_match), state.keys))


@router.delete("", status_code=204, responses=problems(PreconditionFailed))
async def remove_deployment(
    org: Slug, name: Slug, principal: Editor, session: Write, if_match: IfMatch, request: Request
) -> None:
    """Let the live version answer everything again."""
    model = await ModelReader(session).get_writable(principal, org, name)
    await DeploymentService(session, request.app.state.keys).remove(model, if_match)


@router.get("/shadow")
async def get_shadow_report(org: Slug, name: Slug, principal: Editor, session: Read) -> ShadowReport:
    """Show how the answers of shadows differ from those that were given."""
    model = await ModelReader(session).get_writable(principal, org, name)
    rows = await DeploymentReader(session).shadows(principal, model)
    return ShadowReport(items=[ShadowRead.model_validate(row) for row in rows])
