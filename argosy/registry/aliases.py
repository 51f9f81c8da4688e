"""Decisions about aliases."""

from collections.abc import Sequence
from uuid import UUID

from argosy.events.service import record
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.web.etag import Precondition
from argosy.registry.errors import AliasNotFound, VersionNotReady
from argosy.registry.models import Alias, AliasChange, Model, ModelVersion, VersionStatus
from argosy.registry.repository import AliasChangeRepository, AliasRepository
from argosy.registry.versions import VersionReader

LIVE = "live"
ALIAS_MOVED = "alias.moved"


class AliasReader:
    """Looks aliases up."""

    def __init__(self, session: ReadSession) -> None:
        self.aliases = AliasRepository(session)
        self.changes = AliasChangeRepository(session)

    async def get(self, model: Model, name: str) -> Alias:
        """Return an alias with its version; raises `AliasNotFound`."""
        alias = await self.aliases.by_name(model.id, name)
        if alias is None:
            raise AliasNotFound(f"{model.full_name} has no alias {name!r}", alias=name)
        return alias

    async def list(self, model: Model) -> Sequence[Alias]:
        """Return the aliases of a model, by name."""
        return await self.aliases.all_of(model.id)

    async def history(self, model: Model, name: str, query: PageQuery, sort: str) -> Listing[AliasChange]:
        """Return the moves of an alias, also of one that was removed."""
        return await self.changes.page(self.changes.of(model.id, name), query, sort)


class AliasService(AliasReader):
    """Moves aliases, and keeps their history."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)
        self._session = session

    async def set(self, model: Model, name: str, number: int, changed_by: UUID, precondition: Precondition) -> Alias:
        """Point an alias at a version by number; raises `VersionNotFound`, `VersionNotReady`, `PreconditionFailed`."""
        version = await VersionReader(self._session).get_ready(model, number)
        alias = await self.aliases.by_name(model.id, name)
        precondition.check(alias.revision if alias else 0)
        return await self.point(model.full_name, name, version, changed_by)

    async def point(self, full_name: str, name: str, version: ModelVersion, changed_by: UUID) -> Alias:
        """Point an alias at a version; raises `VersionNotReady` when it did not pass conversion and parity."""
        if version.status is not VersionStatus.READY:
            raise VersionNotReady(
                f"version {version.number} is {version.status}; only a ready version can have an alias",
                version=version.number,
                version_status=version.status.value,
            )
        alias = await self.aliases.by_name(version.model_id, name)
        before = alias.version.number if alias else None
        if alias is None:
            alias = await self.aliases.add(
                Alias(
                    organization_id=version.organization_id,
                    model_id=version.model_id,
                    name=name,
                    version_id=version.id,
                    version=version,
                )
            )
        elif before != version.number:
            alias.version = version
            await self._session.flush()
        if before != version.number:
            await self._note(full_name, version, name, before, version.number, changed_by)
        return alias

    async def remove(self, model: Model, name: str, changed_by: UUID) -> None:
        """Remove an alias; raises `AliasNotFound`."""
        alias = await self.get(model, name)
        version = alias.version
        await self.aliases.delete(alias)
        await self._note(model.full_name, version, name, version.number, None, changed_by)

    async def _note(
        self, full_name: str, version: ModelVersion, name: str, before: int | None, after: int | None, changed_by: UUID
    ) -> None:
        await self.changes.add(
            AliasChange(
                organization_id=version.organization_id,
                model_id=version.model_id,
                alias=name,
                from_version=before,
                to_version=after,
                changed_by=changed_by,
            )
        )
        record(
            self._session,
            ALIAS_MOVED,
            f"{full_name}@{name}",
            version.organization_id,
            from_version=before,
            to_version=after,
            version_id=str(version.id) if after else None,
        )
