"""Decisions about jobs, seen from outside the worker."""

from typing import Any
from uuid import UUID

from argosy.events.service import record
from argosy.jobs.errors import JobEnded, JobNotFound
from argosy.jobs.models import TRANSITIONS, Job, JobStatus
from argosy.jobs.repository import JobRepository
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.principal import Principal

SIGNAL = "jobs"


class JobReader:
    """Looks jobs up."""

    def __init__(self, session: ReadSession) -> None:
        self.jobs = JobRepository(session)

    async def get(self, principal: Principal, job_id: UUID) -> Job:
        """Return a job; raises `JobNotFound`."""
        job = await self.jobs.one_or_none(self.jobs.readable_by(principal).where(Job.id == job_id))
        if job is None:
            raise JobNotFound
        return job

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

    async def enqueue(self, organization_id: UUID, kind: str, payload: dict[str, Any]) -> Job:
        """Queue a job; it starts after the transaction has committed."""
        job = await self.jobs.add(Job(organization_id=organization_id, kind=kind, payload=payload))
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
            record(self._session, "job.cancelled", str(job.id), job.organization_id, kind=job.kind)
        await self._session.flush()
        return job
