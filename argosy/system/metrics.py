"""Metrics of this process, in Prometheus' text format, for whoever holds `metrics:read`."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from argosy.kit.principal import Principal, Scope
from argosy.kit.web.metrics import Metrics
from argosy.kit.web.openapi import GUARDED, Responses
from argosy.kit.web.security import requires

router = APIRouter(tags=["metrics"], responses=GUARDED)
Reader = Annotated[Principal, requires(Scope.METRICS_READ)]
TEXT: Responses = {200: {"description": "Metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("/metrics", response_class=Response, responses=TEXT)
async def get_metrics(_principal: Reader, request: Request) -> Response:
    """Show the metrics of this process."""
    metrics: Metrics = request.app.state.metrics
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)
