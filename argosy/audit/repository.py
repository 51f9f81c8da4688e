"""SQL of the audit log."""

from collections.abc import AsyncIterator
from uuid import UUID

from sqlalchemy import Select, Table, select, update

from argosy.audit.models import AuditChain, AuditEntry
from argosy.audit.schemas import AuditFilter
from argosy.kit.db import dialects
from argosy.kit.repository import Repository

GENESIS = "0" * 64
BATCH = 1000


class AuditRepository(Repository[AuditEntry]):
    """Entries, by chain."""

    model = AuditEntry

    async def next_link(self, chain: UUID) -> AuditChain:
        """Take the next place in a chain; it stays locked until the transaction ends, so that links do not fork."""
        table = AuditChain.__table__
        assert isinstance(table, Table)  # noqa: S101 - what SQLAlchemy types as FromClause
        await self._session.execute(
            dialects.insert(self._session.dialect, table)
            .values(chain=chain, sequence=0, hash=GENESIS)
            .on_conflict_do_nothing()
        )
        statement = (
            update(AuditChain)
            .where(AuditChain.chain == chain)
            .values(sequence=AuditChain.sequence + 1)
            .returning(AuditChain)
            .execution_options(populate_existing=True)
        )
        return (await self._session.scalars(statement)).one()

    def matching(self, chain: UUID, only: AuditFilter) -> Select[AuditEntry]:
        """Select entries of a chain."""
        statement = select(AuditEntry).where(AuditEntry.organization_id == chain)
        if only.action is not None:
            statement = statement.where(AuditEntry.action == only.action)
        if only.actor_id is not None:
            statement = statement.where(AuditEntry.actor_id == only.actor_id)
        if only.since is not None:
            statement = statement.where(AuditEntry.at >= only.since)
        return statement if only.until is None else statement.where(AuditEntry.at < only.until)

    async def in_order(self, chain: UUID) -> AsyncIterator[AuditEntry]:
        """Yield a chain from its first link, without holding it whole."""
        last = 0
        while True:
            statement = (
                select(AuditEntry)
                .where(AuditEntry.organization_id == chain, AuditEntry.sequence > last)
                .order_by(AuditEntry.sequence)
                .limit(BATCH)
            )
            batch = (await self._session.scalars(statement)).all()
            for entry in batch:
                yield entry
            if len(batch) < BATCH:
                return
            last = batch[-1].sequence

    async def head(self, chain: UUID) -> AuditChain | None:
        """Return the newest link of a chain."""
        return (await self._session.scalars(select(AuditChain).where(AuditChain.chain == chain))).one_or_none()
