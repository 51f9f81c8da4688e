"""What callers were not permitted: recorded after their request has been rolled back, and logged."""

from argosy.events.service import record
from argosy.kit import context
from argosy.kit.db.session import Database
from argosy.kit.errors import Forbidden
from argosy.kit.logs import get_logger
from argosy.kit.rates import RateLimiter

DENIED = "authorization.denied"
RECORDED_A_MINUTE = 30
log = get_logger(__name__)


class Denials:
    """Records denials; of one caller so many a minute, so that the log cannot be filled."""

    def __init__(self, database: Database, rates: RateLimiter) -> None:
        self._database = database
        self._rates = rates

    async def note(self, error: Forbidden) -> None:
        """Record that the current request was denied."""
        request = context.current()
        if request is None:
            return
        log.warning("authorization_denied", problem=error.type, detail=error.detail)
        caller = request.principal
        who = str(caller.id) if caller else request.address or ""
        if not (await self._rates.hit(RECORDED_A_MINUTE, "denied", who)).admitted:
            return
        try:
            async with self._database.write() as session:
                needed = error.extensions.get("required_scope")
                organization_id = caller.organization_id if caller else None
                record(session, DENIED, error.type, organization_id, required_scope=needed)
        except Exception:
            log.exception("denial_not_recorded")
