"""SQL of jobs: the queue is a table, and a claim is one UPDATE."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, Update, delete, exists, or_, select, update

from argosy.jobs.models import ContentRole, Job, JobContent, JobStatus
from argosy.kit.clock import now
from argosy.kit.db.pulse import MOMENT
from argosy.kit.repository import TenantRepository


class JobRepository(TenantRepository[Job]):
    """Jobs."""

    model = Job

    async def get(self, job_id: UUID) -> Job | None:
        """Return a job by id, for a worker."""
        return await self.one_or_none(select(Job).where(Job.id == job_id))

    async def any_due(self, kinds: Sequence[str]) -> bool:
        """Tell whether there is a job to take, without the cost of a write transaction."""
        return bool(await self._session.scalar(select(self.has_due(kinds))))

    @staticmethod
    def has_due(kinds: Sequence[str]) -> ColumnElement[bool]:
        """Whether there is a job to take."""
        return exists().where(_due(MOMENT), Job.kind.in_(kinds))

    async def claim(self, worker: str, lease: timedelta, kinds: Sequence[str]) -> UUID | None:
        """Take the next job that is due, or whose worker has let its lease run out; return its id."""
        moment = now()
        candidate = (
            select(Job.id)
            .where(_due(moment), Job.kind.in_(kinds))
            .order_by(Job.run_after, Job.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        statement = (
            update(Job)
            .where(Job.id == candidate)
            .values(
                status=JobStatus.RUNNING,
                worker=worker,
                lease_expires_at=moment + lease,
                attempts=Job.attempts + 1,
                updated_at=moment,
            )
            .returning(Job.id)
            .execution_options(synchronize_session=False)
        )
        return await self._session.scalar(statement)

    async def release_dead(self, workers: Sequence[str], moment: datetime) -> None:
        """Let go of jobs whose workers are known to be gone."""
        statement = update(Job).where(Job.worker.in_(workers), Job.status == JobStatus.RUNNING)
        await self._execute(statement.values(lease_expires_at=moment - timedelta(seconds=1)))

    async def workers(self) -> Sequence[str]:
        """Return the workers that hold jobs."""
        statement = select(Job.worker).where(Job.status == JobStatus.RUNNING, Job.worker.is_not(None)).distinct()
        return [worker for worker in await self._session.scalars(statement) if worker is not None]

    async def hold(
        self, job_id: UUID, worker: str, lease: timedelta, progress: tuple[int, int] | None = None
    ) -> bool | None:
        """Extend a lease and note progress; return whether to stop, or None when the lease is lost."""
        values: dict[str, object] = {"lease_expires_at": now() + lease}
        if progress is not None:
            values |= {"done": progress[0], "total": progress[1]}
        statement = self._held(job_id, worker).values(values).returning(Job.cancel_requested)
        return await self._session.scalar(statement.execution_options(synchronize_session=False))

    async def end(self, job_id: UUID, worker: str, status: JobStatus, error: str | None = None) -> bool:
        """End a job that the worker still holds; False when it does not."""
        values = {"status": status, "error": error, "worker": None, "lease_expires_at": None, "updated_at": now()}
        return await self._execute(self._held(job_id, worker).values(values)) == 1

    async def retry(self, job_id: UUID, worker: str, after: datetime, error: str) -> None:
        """Queue a job again."""
        values = {"status": JobStatus.QUEUED, "run_after": after, "worker": None, "error": error}
        await self._execute(self._held(job_id, worker).values(values))

    def _held(self, job_id: UUID, worker: str) -> Update:
        return update(Job).where(Job.id == job_id, Job.worker == worker, Job.status == JobStatus.RUNNING)

    async def _execute(self, statement: Update) -> int:
        result = await self._session.execute(statement.execution_options(synchronize_session=False))
        assert isinstance(result, CursorResult)  # noqa: S101 - an UPDATE has no other result
        return result.rowcount


class JobContentRepository(TenantRepository[JobContent]):
    """What jobs were given and what came of them, reached through the job."""

    model = JobContent

    async def of(self, job_id: UUID, role: ContentRole) -> bytes | None:
        """Return a job's content."""
        statement = select(JobContent.content).where(JobContent.job_id == job_id, JobContent.role == role)
        return await self._session.scalar(statement)

    async def forget(self, job_id: UUID, role: ContentRole) -> None:
        """Delete a job's content."""
        await self._session.execute(delete(JobContent).where(JobContent.job_id == job_id, JobContent.role == role))

    async def forget_results(self, before: datetime) -> None:
        """Delete the results that were written before a time."""
        old = (JobContent.role == ContentRole.RESULT) & (JobContent.created_at < before)
        await self._session.execute(delete(JobContent).where(old))


def _due(moment: datetime | ColumnElement[datetime]) -> ColumnElement[bool]:
    return or_(
        (Job.status == JobStatus.QUEUED) & (Job.run_after <= moment),
        (Job.status == JobStatus.RUNNING) & (Job.lease_expires_at < moment),
    )
