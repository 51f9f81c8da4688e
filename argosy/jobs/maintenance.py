"""Forgetting what came of jobs long ago."""

from datetime import timedelta

from argosy.jobs.repository import JobContentRepository
from argosy.kit.clock import now
from argosy.kit.db.session import WriteSession

KEEP_RESULTS = timedelta(days=30)


async def forget_results(session: WriteSession) -> None:
    """Delete results that are older than they have to be kept; the jobs stay."""
    await JobContentRepository(session).forget_results(now() - KEEP_RESULTS)
