"""Routes of jobs."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from argosy.jobs.errors import JobEnded, JobNotFound, JobNotSucceeded, JobResultNotFound
from argosy.jobs.models import JobStatus
from argosy.jobs.schemas import JobRead
from argosy.jobs.service import JobReader, JobService
from argosy.kit.pagination import CursorPage, Page, PageQuery, page_query, to_page
from argosy.kit.principal import Principal, Scope
from argosy.kit.web.openapi import GUARDED, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import requires
from argosy.kit.web.sessions import Read, Write

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=TransactionalRoute, responses=GUARDED)
Reader = Annotated[Principal, requires(Scope.JOBS_READ)]
Editor = Annotated[Principal, requires(Scope.JOBS_WRITE)]
Paging = Annotated[PageQuery, Depends(page_query)]

_JSON: dict[str, Any] = {"application/json": {"schema": {"type": "object", "additionalProperties": True}}}


class JobSort(StrEnum):
    """Sort orders of jobs."""

    OLDEST = "created_at"
    NEWEST = "-created_at"


@router.get("")
async def list_jobs(
    principal: Reader,
    session: Read,
    query: Paging,
    sort: Annotated[JobSort, Query()] = JobSort.NEWEST,
    status: Annotated[JobStatus | None, Query(description="Only jobs in this state.")] = None,
) -> Page[JobRead] | CursorPage[JobRead]:
    """List jobs."""
    return to_page(await JobReader(session).list(principal, query, sort, status), JobRead.of)


@router.get("/{job_id}", responses=problems(JobNotFound))
async def get_job(job_id: UUID, principal: Reader, session: Read) -> JobRead:
    """Show a job."""
    return JobRead.of(await JobReader(session).get(principal, job_id))


@router.get(
    "/{job_id}/result",
    response_class=Response,
    responses=problems(JobNotFound, JobNotSucceeded, JobResultNotFound)
    | {200: {"description": "What came of it", "content": _JSON}},
)
async def get_job_result(job_id: UUID, principal: Reader, session: Read) -> Response:
    """Show what came of a job; it is kept for 30 days."""
    return Response(await JobReader(session).result(principal, job_id), media_type="application/json")


@router.post("/{job_id}/cancel", responses=problems(JobNotFound, JobEnded))
async def cancel_job(job_id: UUID, principal: Editor, session: Write) -> JobRead:
    """Cancel a job."""
    return JobRead.of(await JobService(session).cancel(principal, job_id))
