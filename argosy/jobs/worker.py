"""The worker: takes jobs from the table and runs their handlers.

A worker that dies lets its lease run out, and another takes the job over. Effects count only in the transaction of
`JobRun.finish`, which fails when the lease is lost: a job may run twice, but takes effect once.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any

from argosy.events.service import record
from argosy.jobs.errors import JobCancelled, JobFailed, LeaseLost
from argosy.jobs.models import ContentRole, Job, JobStatus
from argosy.jobs.repository import JobContentRepository, JobRepository
from argosy.jobs.service import SIGNAL
from argosy.kit.clock import now
from argosy.kit.db.session import Database, WriteSession
from argosy.kit.logs import get_logger
from argosy.settings import JobsSettings

MAX_ATTEMPTS = 3
log = get_logger(__name__)


class JobRun:
    """One attempt at a job, as its handler sees it."""

    def __init__(self, database: Database, job: Job, worker: str, lease: timedelta) -> None:
        self._database = database
        self._worker = worker
        self._lease = lease
        self.id = job.id
        self.organization_id = job.organization_id
        self.kind = job.kind
        self.payload: Mapping[str, Any] = job.payload
        self.attempt = job.attempts
        # Set when the job should stop: a handler with a long step waits for this beside it.
        self.stopping = asyncio.Event()

    async def content(self) -> bytes:
        """Return what the job was given; raises `JobFailed` when that is gone."""
        async with self._database.read() as session:
            found = await JobContentRepository(session).of(self.id, ContentRole.INPUT)
        if found is None:
            raise JobFailed("what the job was given is gone")
        return found

    async def progress(self, done: int, total: int) -> None:
        """Note progress and keep the lease; raises `JobCancelled` or `LeaseLost`."""
        await self.hold((done, total))

    async def hold(self, progress: tuple[int, int] | None = None) -> None:
        """Keep the lease; raises `JobCancelled` or `LeaseLost`."""
        async with self._database.write() as session:
            stop = await JobRepository(session).hold(self.id, self._worker, self._lease, progress)
        if stop is None:
            raise LeaseLost
        if stop:
            raise JobCancelled

    @asynccontextmanager
    async def finish(
        self, status: JobStatus = JobStatus.SUCCEEDED, error: str | None = None
    ) -> AsyncIterator[WriteSession]:
        """Open the transaction in which the job ends; its effects belong here. Raises `LeaseLost`."""
        async with self._database.write() as session:
            if not await JobRepository(session).end(self.id, self._worker, status, error):
                raise LeaseLost
            await JobContentRepository(session).forget(self.id, ContentRole.INPUT)
            record(session, f"job.{status}", str(self.id), self.organization_id, kind=self.kind)
            yield session


class JobHandler:
    """What a kind of job does; `run` must end with `run.finish()`, and `failed` tells the subject of a failure.

    `apart` is for long jobs: they wait for each other, and hold up no other kind.
    """

    def __init__(
        self,
        run: Callable[[JobRun], Awaitable[None]],
        failed: Callable[[WriteSession, JobRun, str], Awaitable[None]],
        *,
        apart: bool = False,
    ) -> None:
        self.run = run
        self.failed = failed
        self.apart = apart


class Worker:
    """Runs jobs inside the server."""

    def __init__(self, database: Database, handlers: Mapping[str, JobHandler], settings: JobsSettings) -> None:
        self._database = database
        self._handlers = handlers
        self._settings = settings
        self._lease = timedelta(seconds=settings.lease)
        self._name = f"{socket.gethostname()}:{os.getpid()}"

    async def run(self) -> None:
        """Work until cancelled; a job cut off by the end of the process is taken up at the next start."""
        await self._release_dead()
        with self._database.pulse.watch(SIGNAL, JobRepository.has_due(list(self._handlers))):
            await self._work()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            shared = [kind for kind, handler in self._handlers.items() if not handler.apart]
            alone = [[kind] for kind, handler in self._handlers.items() if handler.apart]
            for kinds in [shared] * self._settings.concurrency + alone:
                group.create_task(self._database.at_each(SIGNAL, partial(self._run_all, kinds), "worker_failed"))

    async def _run_all(self, kinds: Sequence[str]) -> None:
        while await self.run_one(kinds):
            pass

    async def run_one(self, kinds: Sequence[str] | None = None) -> bool:
        """Run the next due job, of some kinds or of all, if there is one."""
        wanted = list(self._handlers) if kinds is None else kinds
        async with self._database.read() as session:
            if not await JobRepository(session).any_due(wanted):
                return False
        async with self._database.write() as session:
            jobs = JobRepository(session)
            job_id = await jobs.claim(self._name, self._lease, wanted)
            job = await jobs.get(job_id) if job_id else None
        if job is None:
            return False
        await self._run(JobRun(self._database, job, self._name, self._lease))
        return True

    async def _run(self, run: JobRun) -> None:
        handler = self._handlers[run.kind]
        heartbeat = asyncio.create_task(self._keep_lease(run))
        try:
            if run.attempt > MAX_ATTEMPTS:
                raise JobFailed(f"the worker was lost {MAX_ATTEMPTS} times while it ran this")
            await run.hold()
            await handler.run(run)
        except JobFailed as error:
            await self._end(run, handler, JobStatus.FAILED, str(error))
        except JobCancelled:
            await self._end(run, handler, JobStatus.CANCELLED, "cancelled")
        except LeaseLost:
            log.warning("job_lease_lost", job_id=str(run.id))
        except Exception:
            log.exception("job_crashed", job_id=str(run.id), attempt=run.attempt)
            await self._retry(run, handler)
        finally:
            heartbeat.cancel()

    async def _keep_lease(self, run: JobRun) -> None:
        while True:
            await asyncio.sleep(self._settings.lease / 3)
            try:
                await run.hold()
            except (JobCancelled, LeaseLost):
                run.stopping.set()
                return
            except Exception:
                log.exception("heartbeat_failed", job_id=str(run.id))

    async def _end(self, run: JobRun, handler: JobHandler, status: JobStatus, error: str) -> None:
        with suppress(LeaseLost):
            async with run.finish(status, error) as session:
                await handler.failed(session, run, error)

    async def _retry(self, run: JobRun, handler: JobHandler) -> None:
        if run.attempt >= MAX_ATTEMPTS:
            await self._end(run, handler, JobStatus.FAILED, "an internal error; the log has the details")
            return
        async with self._database.write() as session:
            after = now() + timedelta(seconds=2**run.attempt)
            await JobRepository(session).retry(run.id, self._name, after, "an internal error; it is tried again")

    async def _release_dead(self) -> None:
        """Take over at once from workers of this machine whose process is gone."""
        host = socket.gethostname()
        async with self._database.read() as session:
            held = await JobRepository(session).workers()
        dead = [worker for worker in held if _is_gone(worker, host)]
        if dead:
            async with self._database.write() as session:
                await JobRepository(session).release_dead(dead, now())


def _is_gone(worker: str, host: str) -> bool:
    where, _, pid = worker.rpartition(":")
    if where != host:
        return False
    if int(pid) == os.getpid():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
