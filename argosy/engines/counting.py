"""Limits of all workers of a machine together: they ask their supervisor, which counts in memory."""

from pydantic import BaseModel, JsonValue, TypeAdapter

from argosy.engines.channel import Channel, Handler, Unanswered
from argosy.engines.rates import SharedRateLimiter
from argosy.kit.logs import get_logger
from argosy.kit.rates import MINUTE, RateLimiter, Standing

log = get_logger(__name__)
STANDING = TypeAdapter(Standing)


class Counted(BaseModel):
    """What is counted against a limit."""

    limit: int
    name: list[str]
    cost: int = 1
    seconds: int = MINUTE


class CrewRates:
    """Counts by name over all workers of the machine: the supervisor counts.

    While it does not answer each worker counts for itself, as while Redis is away.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._local = SharedRateLimiter("memory://")

    async def hit(self, limit: int, *name: str, cost: int = 1, seconds: int = MINUTE) -> Standing:
        """Count one request, or as many at once as it costs, in windows of a minute, or of so many seconds."""
        counted = await self._asked("hit", Counted(limit=limit, name=list(name), cost=cost, seconds=seconds))
        return counted or await self._local.hit(limit, *name, cost=cost, seconds=seconds)

    async def attempt(self, limit: int, *name: str) -> Standing:
        """Count one attempt in a window that moves: at no time more than the limit within a minute."""
        counted = await self._asked("attempt", Counted(limit=limit, name=list(name)))
        return counted or await self._local.attempt(limit, *name)

    async def forgive(self, limit: int, *name: str) -> None:
        """Forget the attempts of a name."""
        await self._asked("forgive", Counted(limit=limit, name=list(name)))
        await self._local.forgive(limit, *name)

    async def _asked(self, kind: str, counted: Counted) -> Standing | None:
        try:
            answer = await self._channel.ask(kind, counted.model_dump())
        except Unanswered as error:
            log.warning("rate_limits_away", error=str(error))
            return None
        return STANDING.validate_python(answer) if answer is not None else None


def counting(rates: RateLimiter) -> dict[str, Handler]:
    """Return what answers `CrewRates`, for the supervisor."""

    async def hit(body: JsonValue) -> JsonValue:
        asked = Counted.model_validate(body)
        return _json(await rates.hit(asked.limit, *asked.name, cost=asked.cost, seconds=asked.seconds))

    async def attempt(body: JsonValue) -> JsonValue:
        asked = Counted.model_validate(body)
        return _json(await rates.attempt(asked.limit, *asked.name))

    async def forgive(body: JsonValue) -> JsonValue:
        asked = Counted.model_validate(body)
        await rates.forgive(asked.limit, *asked.name)
        return None

    return {"hit": hit, "attempt": attempt, "forgive": forgive}


def _json(standing: Standing) -> JsonValue:
    shown: JsonValue = STANDING.dump_python(standing, mode="json")
    return shown
