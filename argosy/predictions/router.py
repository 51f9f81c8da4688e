"""Routes of payload logging."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime

from argosy.kit.errors import PreconditionFailed
from argosy.kit.pagination import CursorPage, Page, PageQuery, page_query, to_page
from argosy.kit.principal import Principal, Scope
from argosy.kit.schemas import Slug
from argosy.kit.web.etag import IfMatch, tagged
from argosy.kit.web.openapi import GUARDED, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import requires
from argosy.kit.web.sessions import Read, Write
from argosy.predictions.schemas import PayloadLoggingRead, PayloadLoggingSet, PredictionFilter, PredictionRead
from argosy.predictions.service import PayloadLoggingService, PredictionReader
from argosy.registry.errors import ModelNotFound
from argosy.registry.service import ModelReader

router = APIRouter(
    prefix="/models/{org}/{name}",
    tags=["predictions"],
    route_class=TransactionalRoute,
    responses=GUARDED | problems(ModelNotFound),
)
Viewer = Annotated[Principal, requires(Scope.MODELS_READ)]
Reader = Annotated[Principal, requires(Scope.PAYLOADS_READ)]
Keeper = Annotated[Principal, requires(Scope.PAYLOADS_WRITE)]


class PredictionSort(StrEnum):
    """Sort orders of recorded predictions."""

    OLDEST = "created_at"
    NEWEST = "-created_at"


def prediction_filter(
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Only of this version.")] = None,
    status: Annotated[int | None, Query(ge=100, le=599, description="Only with this HTTP status.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Not before this time.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Before this time.")] = None,
) -> PredictionFilter:
    """Read which records are wanted."""
    return PredictionFilter(version=version, status=status, since=since, until=until)


@router.get("/payload-logging")
async def get_payload_logging(
    org: Slug, name: Slug, principal: Viewer, session: Read, response: Response
) -> PayloadLoggingRead:
    """Show whether predictions are recorded, and how; whoever may see the model may know."""
    model = await ModelReader(session).get(principal, org, name)
    return tagged(response, PayloadLoggingRead.of(await PredictionReader(session).get_logging(model)))


@router.put("/payload-logging", responses=problems(PreconditionFailed))
async def set_payload_logging(
    org: Slug,
    name: Slug,
    body: PayloadLoggingSet,
    principal: Keeper,
    session: Write,
    if_match: IfMatch,
    response: Response,
) -> PayloadLoggingRead:
    """Say whether predictions are recorded, and how; it holds within two seconds."""
    model = await ModelReader(session).get_writable(principal, org, name)
    return tagged(response, PayloadLoggingRead.of(await PayloadLoggingService(session).set(model, body, if_match)))


@router.get("/predictions")
async def list_predictions(
    org: Slug,
    name: Slug,
    principal: Reader,
    session: Read,
    query: Annotated[PageQuery, Depends(page_query)],
    only: Annotated[PredictionFilter, Depends(prediction_filter)],
    sort: Annotated[PredictionSort, Query()] = PredictionSort.NEWEST,
) -> Page[PredictionRead] | CursorPage[PredictionRead]:
    """List recorded predictions of a model of your organization."""
    model = await ModelReader(session).get_writable(principal, org, name)
    page = await PredictionReader(session).list(model, query, sort, only)
    return to_page(page, lambda record: PredictionRead.of(model.full_name, record))
