"""Jobs: claimed once, retried, taken over from the dead, cancelled, and with effect once."""

import asyncio
import socket
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from argosy.identity.models import User
from argosy.jobs.errors import JobFailed
from argosy.jobs.models import Job, JobStatus
from argosy.jobs.service import JobService
from argosy.jobs.worker import MAX_ATTEMPTS, JobHandler, JobRun, Worker
from argosy.kit.clock import now
from argosy.kit.db.session import Database, WriteSession
from argosy.organizations.models import Organization
from argosy.settings import JobsSettings, Settings


@pytest.fixture
async def organization(database: Database) -> UUID:
    async with database.write() as session:
        session.add(User(email="a@example.org", username="a", password_hash="-"))
        row = Organization(slug="a", name="A", personal=True)
        session.add(row)
    return row.id


class Counter:
    """A job that counts its effects, and fails as told."""

    def __init__(self, *, crashes: int = 0, failure: str | None = None) -> None:
        self.crashes = crashes
        self.failure = failure
        self.runs = 0
        self.effects = 0
        self.effective = asyncio.Event()
        self.told: list[str] = []

    async def run(self, run: JobRun) -> None:
        self.runs += 1
        await run.progress(1, 2)
        if self.failure:
            raise JobFailed(self.failure)
        if self.runs <= self.crashes:
            raise RuntimeError("crash")
        async with run.finish():
            self.effects += 1
        self.effective.set()

    async def failed(self, _session: WriteSession, _run: JobRun, reason: str) -> None:
        self.told.append(reason)

    def worker(self, database: Database) -> Worker:
        return Worker(database, {"count": JobHandler(self.run, self.failed)}, JobsSettings())


async def enqueue(database: Database, organization: UUID) -> UUID:
    async with database.write() as session:
        return (await JobService(session).enqueue(organization, "count", {})).id


async def job(database: Database, job_id: UUID) -> Job:
    async with database.read() as session:
        return (await session.scalars(select(Job).where(Job.id == job_id))).one()


async def make_due(database: Database, job_id: UUID) -> None:
    async with database.write() as session:
        await session.execute(update(Job).where(Job.id == job_id).values(run_after=now() - timedelta(seconds=1)))


async def test_of_many_workers_one_takes_a_job(database: Database, organization: UUID) -> None:
    counter = Counter()
    job_id = await enqueue(database, organization)
    worker = counter.worker(database)
    taken = await asyncio.gather(*(worker.run_one() for _ in range(5)))
    assert taken.count(True) == 1
    assert (counter.runs, counter.effects) == (1, 1)
    assert (await job(database, job_id)).status is JobStatus.SUCCEEDED


async def test_a_crash_is_retried_and_then_succeeds(database: Database, organization: UUID) -> None:
    counter = Counter(crashes=2)
    job_id = await enqueue(database, organization)
    for _ in range(3):
        await make_due(database, job_id)
        assert await counter.worker(database).run_one()
    assert (counter.runs, counter.effects) == (3, 1)
    done = await job(database, job_id)
    assert (done.status, done.attempts, done.error) == (JobStatus.SUCCEEDED, 3, None)


async def test_a_job_that_always_crashes_ends(database: Database, organization: UUID) -> None:
    counter = Counter(crashes=99)
    job_id = await enqueue(database, organization)
    for _ in range(MAX_ATTEMPTS):
        await make_due(database, job_id)
        await counter.worker(database).run_one()
    assert not await counter.worker(database).run_one()
    assert (await job(database, job_id)).status is JobStatus.FAILED
    assert counter.told == ["an internal error; the log has the details"]


async def test_a_failure_with_a_reason_is_not_retried(database: Database, organization: UUID) -> None:
    counter = Counter(failure="the file is wrong")
    job_id = await enqueue(database, organization)
    await counter.worker(database).run_one()
    failed = await job(database, job_id)
    assert (failed.status, failed.error, failed.attempts) == (JobStatus.FAILED, "the file is wrong", 1)
    assert counter.told == ["the file is wrong"]


async def test_a_job_of_a_dead_worker_is_taken_over(database: Database, organization: UUID) -> None:
    counter = Counter()
    job_id = await enqueue(database, organization)
    async with database.write() as session:
        lost = {"status": JobStatus.RUNNING, "worker": f"{socket.gethostname()}:999999", "attempts": 1}
        await session.execute(update(Job).values(**lost, lease_expires_at=now() + timedelta(minutes=5)))
    worker = counter.worker(database)
    assert not await worker.run_one()
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(10):
        await counter.effective.wait()
    running.cancel()
    assert (counter.effects, (await job(database, job_id)).attempts) == (1, 2)


async def test_a_job_that_another_process_queued_is_found(
    database: Database, settings: Settings, organization: UUID
) -> None:
    counter, elsewhere = Counter(), Database(settings.database_url, settings.database)
    running = [asyncio.create_task(one.run()) for one in (counter.worker(database), database.pulse)]
    await asyncio.sleep(0.2)
    await enqueue(elsewhere, organization)
    async with asyncio.timeout(10):
        await counter.effective.wait()
    for one in running:
        one.cancel()
    await elsewhere.dispose()
    assert counter.runs == 1


async def test_a_worker_that_lost_its_lease_has_no_effect(database: Database, organization: UUID) -> None:
    counter = Counter()
    job_id = await enqueue(database, organization)
    original = counter.run

    async def slow(run: JobRun) -> None:
        async with database.write() as session:
            await session.execute(update(Job).where(Job.id == job_id).values(worker="another"))
        await original(run)

    worker = Worker(database, {"count": JobHandler(slow, counter.failed)}, JobsSettings())
    await worker.run_one()
    assert (counter.effects, counter.told) == (0, [])
    assert (await job(database, job_id)).worker == "another"


async def test_a_running_job_is_cancelled_at_its_next_step(database: Database, organization: UUID) -> None:
    counter = Counter()
    job_id = await enqueue(database, organization)
    original = counter.run

    async def asked_to_stop(run: JobRun) -> None:
        async with database.write() as session:
            await session.execute(update(Job).where(Job.id == job_id).values(cancel_requested=True))
        await original(run)

    worker = Worker(database, {"count": JobHandler(asked_to_stop, counter.failed)}, JobsSettings())
    await worker.run_one()
    assert counter.effects == 0
    assert (await job(database, job_id)).status is JobStatus.CANCELLED
