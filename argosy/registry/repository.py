"""SQL of models, versions and aliases."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import Select, exists, or_, select, update
from sqlalchemy.orm import contains_eager, joinedload

from argosy.kit.principal import Principal
from argosy.kit.repository import Repository, TenantRepository
from argosy.organizations.models import Organization
from argosy.registry.models import Alias, AliasChange, Model, ModelVersion, VersionStatus, Visibility


class ModelRepository(TenantRepository[Model]):
    """Models: an organization's own, and public ones."""

    model = Model

    def readable_by(self, principal: Principal) -> Select[Model]:
        """Select the models of the caller's organization, and the public ones."""
        mine = Model.organization_id == principal.organization_id
        return _limited(self._joined().where(or_(mine, Model.visibility == Visibility.PUBLIC)), principal)

    def writable_by(self, principal: Principal) -> Select[Model]:
        """Select the models of the caller's organization."""
        return _limited(self._joined().where(Model.organization_id == principal.organization_id), principal)

    def public(self) -> Select[Model]:
        """Select the public models."""
        return self._joined().where(Model.visibility == Visibility.PUBLIC)

    def _joined(self) -> Select[Model]:
        return select(Model).join(Model.organization).options(contains_eager(Model.organization))

    @staticmethod
    def named(statement: Select[Model], org: str, name: str) -> Select[Model]:
        """Narrow a selection to one model by its full name."""
        return statement.where(Organization.slug == org, Model.name == name)

    async def by_full_name(self, full_name: str) -> Model | None:
        """Return a model by `organization/name`, whoever may see it."""
        organization, _, name = full_name.partition("/")
        return await self.one_or_none(self.named(self._joined(), organization, name))

    async def by_id(self, model_id: UUID) -> Model | None:
        """Return a model by id, whoever may see it."""
        return await self.one_or_none(self._joined().where(Model.id == model_id))

    def matching(self, principal: Principal, search: str | None) -> Select[Model]:
        """Select readable models whose name or description holds a text."""
        statement = self.readable_by(principal)
        if search:
            statement = statement.where(
                or_(Model.name.icontains(search, autoescape=True), Model.description.icontains(search, autoescape=True))
            )
        return statement

    @staticmethod
    def ids(statement: Select[Model]) -> Select[UUID]:
        """Select the ids of a selection, for a query within another."""
        return select(statement.subquery().c.id)

    async def full_names(self, statement: Select[Model], model_ids: Collection[UUID]) -> dict[UUID, str]:
        """Return the full names of those models of a selection that have one of the ids."""
        rows = await self._session.scalars(statement.where(Model.id.in_(model_ids)))
        return {model.id: model.full_name for model in rows}

    async def own(self, principal: Principal, names: Collection[str]) -> Sequence[Model]:
        """Return those models of the caller's organization that have one of some names."""
        return (await self._session.scalars(self.writable_by(principal).where(Model.name.in_(names)))).all()

    async def name_exists(self, organization_id: UUID, name: str) -> bool:
        """Tell whether an organization has a model of a name."""
        clash = exists().where(Model.organization_id == organization_id, Model.name == name)
        return bool(await self._session.scalar(select(clash)))

    async def is_visible(self, model_id: UUID, organization_id: UUID) -> bool:
        """Tell whether an organization sees a model, for a worker."""
        seen = or_(Model.organization_id == organization_id, Model.visibility == Visibility.PUBLIC)
        return bool(await self._session.scalar(select(exists().where(Model.id == model_id, seen))))

    async def next_number(self, model_id: UUID) -> int:
        """Take the next version number; the row stays locked until the transaction ends, so numbers have no gaps."""
        statement = (
            update(Model)
            .where(Model.id == model_id)
            .values(last_version=Model.last_version + 1)
            .returning(Model.last_version)
            .execution_options(synchronize_session=False)
        )
        return (await self._session.execute(statement)).scalar_one()


def _limited(statement: Select[Model], principal: Principal) -> Select[Model]:
    """Keep to the models that an API key is limited to, if it is."""
    if principal.models is None:
        return statement
    return statement.where((Organization.slug + "/" + Model.name).in_(sorted(principal.models)))


class VersionRepository(Repository[ModelVersion]):
    """Versions, reached through their model."""

    model = ModelVersion

    def of(self, model_id: UUID) -> Select[ModelVersion]:
        """Select the versions of a model that the caller has been let see."""
        return select(ModelVersion).where(ModelVersion.model_id == model_id)

    async def by_number(self, model_id: UUID, number: int) -> ModelVersion | None:
        """Return a version by number."""
        return await self.one_or_none(self.of(model_id).where(ModelVersion.number == number))

    async def get(self, version_id: UUID) -> ModelVersion | None:
        """Return a version by id, for a worker."""
        return await self.one_or_none(select(ModelVersion).where(ModelVersion.id == version_id))

    async def referenced(self, digests: Sequence[str]) -> set[str]:
        """Return those of the digests that a version refers to."""
        columns = (
            ModelVersion.source_digest,
            ModelVersion.sample_digest,
            ModelVersion.evidence_digest,
            ModelVersion.onnx_digest,
            ModelVersion.tokenizer_digest,
        )
        found: set[str] = set()
        for column in columns:
            found.update(
                digest for digest in await self._session.scalars(select(column).where(column.in_(digests))) if digest
            )
        return found


class AliasRepository(Repository[Alias]):
    """Aliases, reached through their model."""

    model = Alias

    def of(self, model_id: UUID) -> Select[Alias]:
        """Select the aliases of a model."""
        return select(Alias).where(Alias.model_id == model_id).options(joinedload(Alias.version)).order_by(Alias.name)

    async def by_name(self, model_id: UUID, name: str) -> Alias | None:
        """Return an alias by name."""
        return await self.one_or_none(self.of(model_id).where(Alias.name == name))

    async def all_of(self, model_id: UUID) -> Sequence[Alias]:
        """Return the aliases of a model, by name."""
        return (await self._session.scalars(self.of(model_id))).all()

    async def numbers(self, model_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
        """Return version numbers by alias, for several models in one query."""
        statement = (
            select(Alias.model_id, Alias.name, ModelVersion.number)
            .join(ModelVersion, ModelVersion.id == Alias.version_id)
            .where(Alias.model_id.in_(model_ids))
            .order_by(Alias.name)
        )
        numbers: dict[UUID, dict[str, int]] = {model_id: {} for model_id in model_ids}
        for model_id, name, number in await self._session.execute(statement):
            numbers[model_id][name] = number
        return numbers

    async def live(self, models: Select[Model], alias: str) -> Sequence[tuple[Model, ModelVersion]]:
        """Return the ready versions that an alias points at, among some models."""
        statement = (
            models.join(Alias, Alias.model_id == Model.id)
            .join(ModelVersion, ModelVersion.id == Alias.version_id)
            .where(Alias.name == alias, ModelVersion.status == VersionStatus.READY)
            .order_by(Organization.slug, Model.name)
            .add_columns(ModelVersion)
        )
        return [(row[0], row[1]) for row in await self._session.execute(statement)]


class AliasChangeRepository(Repository[AliasChange]):
    """The history of aliases."""

    model = AliasChange

    def of(self, model_id: UUID, alias: str) -> Select[AliasChange]:
        """Select the moves of an alias."""
        return select(AliasChange).where(AliasChange.model_id == model_id, AliasChange.alias == alias)
