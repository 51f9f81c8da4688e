"""Durable background work. The table is the queue and the truth; a worker holds a job by a lease."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from argosy.kit.clock import now
from argosy.kit.db.base import TenantRow
from argosy.kit.db.types import enum_type


class JobStatus(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.CANCELLED}),
    JobStatus.RUNNING: frozenset(
        {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.QUEUED}  # queued again: a retry
    ),
    JobStatus.SUCCEEDED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}


class Job(TenantRow):
    """One piece of work."""

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_due", "status", "run_after", "id"),)

    kind: Mapped[str]
    status: Mapped[JobStatus] = mapped_column(enum_type(JobStatus, "status"), default=JobStatus.QUEUED)
    payload: Mapped[dict[str, Any]]
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    run_after: Mapped[datetime] = mapped_column(default=now)
    worker: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False)


class ContentRole(StrEnum):
    """What a job's content is to it."""

    INPUT = "input"
    RESULT = "result"


class JobContent(TenantRow):
    """What a job was given, until it ends, and what came of it. Apart from the job, so that lists stay light."""

    __tablename__ = "job_contents"
    __table_args__ = (UniqueConstraint("job_id", "role"), Index("ix_job_contents_created_at", "created_at"))

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    role: Mapped[ContentRole] = mapped_column(enum_type(ContentRole, "role"))
    content: Mapped[bytes] = mapped_column(LargeBinary)
