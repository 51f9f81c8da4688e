"""The base of every repository. A repository holds all the SQL of its domain, and nothing else does."""

from typing import Generic, TypeVar

from sqlalchemy import Select, select

from argosy.kit.db.base import Base, TenantRow
from argosy.kit.db.session import ReadSession
from argosy.kit.pagination import Listing, PageQuery, paginate
from argosy.kit.principal import Principal

M = TypeVar("M", bound=Base)
R = TypeVar("R", bound=TenantRow)


class Repository(Generic[M]):
    """SQL over one ORM class."""

    model: type[M]

    def __init__(self, session: ReadSession) -> None:
        self._session = session

    async def one_or_none(self, statement: Select[M]) -> M | None:
        """Return the only row of a statement, or None."""
        return (await self._session.scalars(statement)).unique().one_or_none()

    async def page(self, statement: Select[M], query: PageQuery, sort: str) -> Listing[M]:
        """Return one page of a statement."""
        return await paginate(self._session, statement, query, model=self.model, sort=sort)

    async def add(self, row: M) -> M:
        """Insert a row now, so that its constraints speak here."""
        self._session.add(row)
        await self._session.flush()
        return row

    async def flush(self) -> None:
        """Write what was changed now, so that its constraints speak here."""
        await self._session.flush()

    async def delete(self, row: M) -> None:
        """Delete a row now."""
        await self._session.delete(row)
        await self._session.flush()


class TenantRepository(Repository[R]):
    """SQL over rows that belong to organizations: every query starts at `readable_by` or `writable_by`."""

    model: type[R]

    def readable_by(self, principal: Principal) -> Select[R]:
        """Select the rows a caller may see: its organization's."""
        return self.writable_by(principal)

    def writable_by(self, principal: Principal) -> Select[R]:
        """Select the rows a caller may change: its organization's."""
        return select(self.model).where(self.model.organization_id == principal.organization_id)
