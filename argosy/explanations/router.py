"""The route that asks for an explanation; jobs show how far it is and what came of it."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from argosy.explanations.plan import Limits, Plan, make_plan
from argosy.explanations.schemas import ExplanationCreate
from argosy.explanations.service import ExplanationService
from argosy.jobs.schemas import JobRead
from argosy.kit.principal import Principal, Scope
from argosy.kit.web.idempotency import Idempotency, idempotency
from argosy.kit.web.openapi import GUARDED, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import requires
from argosy.kit.web.sessions import Write
from argosy.registry.errors import AliasNotFound, ModelNotFound, VersionNotFound, VersionNotReady
from argosy.serving.errors import NoLiveVersion
from argosy.serving.service import ServingService
from argosy.serving.target import Target
from argosy.settings import Settings

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=TransactionalRoute, responses=GUARDED)
Consumer = Annotated[Principal, requires(Scope.PREDICT)]


@dataclass(frozen=True, slots=True)
class Asked:
    """An explanation that can be made, and the version it is of."""

    target: Target
    plan: Plan


async def asked(request: Request, principal: Consumer, body: ExplanationCreate) -> Asked:
    """Check a request before a transaction is open, since much may have to be read."""
    serving: ServingService = request.app.state.serving
    settings: Settings = request.app.state.settings
    org, _, name = body.model.partition("/")
    target = await serving.resolve(principal, org, name, body.version, body.alias)
    if target.grant is not None:  # what is bought is calls, not what the model rests on
        raise ModelNotFound
    signature = await serving.signature(target)
    limits = Limits(settings.limits.rows, settings.jobs.explanation_runs)
    return Asked(target, await asyncio.to_thread(make_plan, signature, body, limits))


@router.post(
    "",
    status_code=202,
    responses=problems(ModelNotFound, VersionNotFound, AliasNotFound, NoLiveVersion, VersionNotReady),
)
async def create_job(
    principal: Consumer,
    asked: Annotated[Asked, Depends(asked)],
    key: Annotated[Idempotency, Depends(idempotency)],
    session: Write,
    request: Request,
    response: Response,
) -> JobRead:
    """Explain a model in the background: what its answers for some rows rest on."""
    await key.begin(await request.body())
    job = await ExplanationService(session).ask(principal, asked.target, asked.plan)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return JobRead.of(job)
