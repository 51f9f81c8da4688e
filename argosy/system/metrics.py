"""Metrics of this server, all its workers together, in Prometheus' text format, for whoever holds `metrics:read`."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from argosy.engines.channel import Unanswered
from argosy.engines.crew import Crew
from argosy.kit.errors import Unavailable
from argosy.kit.figures import text
from argosy.kit.principal import Principal, Scope
from argosy.kit.web.metrics import Metrics
from argosy.kit.web.openapi import GUARDED, Responses
from argosy.kit.web.security import requires

router = APIRouter(tags=["metrics"], responses=GUARDED)
Reader = Annotated[Principal, requires(Scope.METRICS_READ)]
TEXT: Responses = {200: {"description": "Metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("/metrics", response_class=Response, responses=TEXT)
async def get_metrics(_principal: Reader, request: Request) -> Response:
    """Show the metrics of this server, of all its workers together."""
    crew: Crew | None = request.app.state.crew
    if crew is not None:
        try:
            return Response(text(await crew.all_figures()), media_type=CONTENT_TYPE_LATEST)
        except Unanswered as error:
            raise Unavailable("the workers' figures cannot be had at the moment") from error
    metrics: Metrics = request.app.state.metrics
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)
