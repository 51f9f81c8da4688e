"""Forgetting what is long over."""

from datetime import timedelta

from argosy.identity.credential_repository import AuthorizationCodeRepository, RevokedTokenRepository
from argosy.identity.repository import CodeRepository, SessionRepository
from argosy.kit.clock import now
from argosy.kit.db.session import WriteSession

# Longer than an address is remembered as one that an account has signed in from.
KEEP_SESSIONS = timedelta(days=60)
KEEP_CODES = timedelta(days=1)


async def forget_old(session: WriteSession) -> None:
    """Delete sign-ins, codes and revoked tokens that mean nothing any more."""
    moment = now()
    await SessionRepository(session).forget_ended(moment - KEEP_SESSIONS)
    await CodeRepository(session).forget_old(moment - KEEP_CODES)
    await AuthorizationCodeRepository(session).forget_old(moment - KEEP_CODES)
    await RevokedTokenRepository(session).forget_expired()
