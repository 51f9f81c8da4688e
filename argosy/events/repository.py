"""SQL of the outbox."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Table, bindparam, exists, func, select, update

from argosy.events.models import Delivery, Event
from argosy.kit.clock import now
from argosy.kit.db import dialects
from argosy.kit.db.pulse import MOMENT
from argosy.kit.repository import Repository


class EventRepository(Repository[Event]):
    """The outbox's rows."""

    model = Event

    async def due(self, limit: int) -> Sequence[Event]:
        """Return undelivered events whose time has come, oldest first."""
        statement = select(Event).where(Event.next_attempt_at <= now()).order_by(Event.id).limit(limit)
        return (await self._session.scalars(statement)).all()

    @staticmethod
    def has_due() -> ColumnElement[bool]:
        """Whether there are undelivered events whose time has come."""
        return exists().where(Event.next_attempt_at <= MOMENT)

    async def changes(self, since: UUID, harmless: Collection[str]) -> dict[UUID, tuple[str, str]]:
        """Return kind and subject of the events made after an id, but for those of harmless kinds."""
        statement = select(Event.id, Event.kind, Event.subject).where(_is_change(since, harmless))
        return {event_id: (kind, subject) for event_id, kind, subject in await self._session.execute(statement)}

    @staticmethod
    def has_other_changes(
        since: Callable[[], UUID], harmless: Collection[str], known: Callable[[], int]
    ) -> ColumnElement[bool]:
        """Whether `changes` would have more now, or fewer, than the number that it had."""
        changes = select(func.count()).where(_is_change(bindparam("since", callable_=since, unique=True), harmless))
        return changes.scalar_subquery() != bindparam("known", callable_=known, unique=True)

    async def receive(self, event_id: UUID, consumer: str) -> bool:
        """Write a consumer's receipt; False when it has one already."""
        table = Delivery.__table__
        assert isinstance(table, Table)  # noqa: S101 - what SQLAlchemy types as FromClause
        statement = (
            dialects.insert(self._session.dialect, table)
            .values(event_id=event_id, consumer=consumer, delivered_at=now())
            .on_conflict_do_nothing()
            .returning(table.c.consumer)
        )
        return (await self._session.execute(statement)).scalar_one_or_none() is not None

    async def has_receipt(self, event_id: UUID, consumer: str) -> bool:
        """Tell whether a consumer has an event."""
        held = exists().where(Delivery.event_id == event_id, Delivery.consumer == consumer)
        return bool(await self._session.scalar(select(held)))

    async def settle(self, event_ids: Sequence[UUID]) -> None:
        """Note that every consumer has these events."""
        await self._session.execute(update(Event).where(Event.id.in_(event_ids)).values(next_attempt_at=None))

    async def postpone(self, event_id: UUID, until: datetime) -> None:
        """Try an event again later."""
        values = {"attempts": Event.attempts + 1, "next_attempt_at": until}
        await self._session.execute(update(Event).where(Event.id == event_id).values(values))


def _is_change(since: UUID | ColumnElement[UUID], harmless: Collection[str]) -> ColumnElement[bool]:
    return (Event.id > since) & Event.kind.not_in(harmless)
