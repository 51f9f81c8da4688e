"""Whether the server is alive, and whether it can serve."""

from typing import Literal

from fastapi import APIRouter, Request, Response

from argosy.kit.db.session import Database
from argosy.kit.logs import get_logger
from argosy.kit.schemas import Schema

router = APIRouter(tags=["health"])
log = get_logger(__name__)


class Health(Schema):
    """The server answers."""

    status: Literal["alive"] = "alive"


class Readiness(Schema):
    """Whether what the server needs is there."""

    status: Literal["ready", "unavailable"]
    checks: dict[str, bool]


@router.get("/healthz")
async def healthz() -> Health:
    """Tell that the process is alive; asks nothing of anything else."""
    return Health()


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Not ready"}})
async def readyz(request: Request, response: Response) -> Readiness:
    """Tell whether the server can serve."""
    checks = {"database": await _database_answers(request.app.state.database)}
    if all(checks.values()):
        return Readiness(status="ready", checks=checks)
    response.status_code = 503
    response.headers["Retry-After"] = "1"
    return Readiness(status="unavailable", checks=checks)


async def _database_answers(database: Database) -> bool:
    try:
        await database.ping()
    except Exception:
        log.exception("database_away")
        return False
    return True
