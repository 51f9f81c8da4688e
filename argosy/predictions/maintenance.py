"""Forgetting recorded predictions when their time is over."""

from datetime import timedelta

from argosy.kit.clock import now
from argosy.kit.db.session import WriteSession
from argosy.predictions.repository import PayloadLoggingRepository, PredictionRepository


async def forget_expired(session: WriteSession) -> None:
    """Delete the records that are older than their model's owner wants them kept."""
    predictions, moment = PredictionRepository(session), now()
    for logging in await PayloadLoggingRepository(session).all():
        await predictions.forget(logging.model_id, moment - timedelta(days=logging.retention_days))
