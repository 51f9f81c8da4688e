"""Wire shapes of jobs."""

from typing import Self

from pydantic import Field

from argosy.jobs.models import Job, JobStatus
from argosy.kit.schemas import Read, Schema


class Progress(Schema):
    """How far a job is."""

    done: int
    total: int = Field(description="0 while it is not known.")


class JobRead(Read):
    """A job."""

    kind: str
    status: JobStatus
    progress: Progress
    attempts: int
    error: str | None = None
    result_url: str | None = Field(None, description="Where the outcome is, once it has succeeded.")

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return the wire shape of a row."""
        return cls(
            id=job.id,
            created_at=job.created_at,
            updated_at=job.updated_at,
            kind=job.kind,
            status=job.status,
            progress=Progress(done=job.done, total=job.total),
            attempts=job.attempts,
            error=job.error,
            result_url=job.payload.get("result_url") if job.status is JobStatus.SUCCEEDED else None,
        )
