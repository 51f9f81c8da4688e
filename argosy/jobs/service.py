"""Decisions about jobs, seen from outside the worker."""

from typing import Any
from uuid import UUID

from argosy.events.service import record
from argosy.jobs.errors import JobEnded, JobNotFound, JobNotSucceeded, JobResultNotFound
from argosy.jobs.models import TRANSITIONS, ContentRole, Job, JobContent, JobStatus
from argosy.jobs.repository import JobContentRepository, JobRepository
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.principal import Principal

SIGNAL = "jobs"


class JobReader:
    """Looks jobs up."""

    def __init__(self, session: ReadSession) -> None:
        self.jobs = JobRepository(session)
        self.contents = JobContentRepository(session)

    async def get(self, principal: Principal, job_id: UUID) -> Job:
        """Return a job; raises `JobNotFound`."""
        job = await self.jobs.one_or_none(self.jobs.readable_by(principal).where(Job.id == job_id))
        if job is None:
            raise JobNotFound
        return job

    async def result(self, principal: Principal, job_id: UUID) -> bytes:
        """Return what came of a job, as JSON; raises `JobNotFound`, `JobNotSucceeded` or `JobResultNotFound`."""
        job = await self.get(principal, job_id)
        if principal.models is not None and job.payload.get("full_name") not in principal.models:
            raise JobNotFound
        if job.status is not JobStatus.SUCCEEDED:
            raise JobNotSucceeded(f"the job is {job.status}", job_status=job.status.value)
        content = await self.contents.of(job.id, ContentRole.RESULT)
        if content is None:
            raise JobResultNotFound
        return content

    async def list(self, principal: Principal, query: PageQuery, sort: str, status: JobStatus | None) -> Listing[Job]:
        """Return the caller's jobs."""
        statement = self.jobs.readable_by(principal)
        if status is not None:
            statement = statement.where(Job.status == status)
        return await self.jobs.page(statement, query, sort)


class JobService(JobReader):
    """Queues and cancels jobs."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)
        self._session = session

    async def enqueue(
        self, organization_id: UUID, kind: str, payload: dict[str, Any], content: bytes | None = None
    ) -> Job:
        """Queue a job; it starts after the transaction has committed. `content` is kept until it ends."""
        job = await self.jobs.add(Job(organization_id=organization_id, kind=kind, payload=payload))
        if content is not None:
            given = JobContent(organization_id=organization_id, job_id=job.id, role=ContentRole.INPUT, content=content)
            await self.contents.add(given)
        self._session.wake(SIGNAL)
        return job

    async def cancel(self, principal: Principal, job_id: UUID) -> Job:
        """Cancel a job: at once while it is queued, at its next step while it runs; raises `JobEnded`."""
        job = await self.jobs.one_or_none(self.jobs.writable_by(principal).where(Job.id == job_id))
        if job is None:
            raise JobNotFound
        if JobStatus.CANCELLED not in TRANSITIONS[job.status]:
            raise JobEnded(f"the job has {job.status}")
        job.cancel_requested = True
        if job.status is JobStatus.QUEUED:
            job.status = JobStatus.CANCELLED
            await self.contents.forget(job.id, ContentRole.INPUT)
            record(self._session, "job.cancelled", str(job.id), job.organization_id, kind=job.kind)
        await self._session.flush()
        return job
