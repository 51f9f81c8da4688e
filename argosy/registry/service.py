"""Decisions about models."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import Select

from argosy.events.service import record
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.errors import Forbidden
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.principal import Principal
from argosy.kit.web.etag import Precondition
from argosy.registry.errors import ModelExists, ModelNotFound
from argosy.registry.models import Model
from argosy.registry.repository import AliasRepository, ModelRepository
from argosy.registry.schemas import ModelCreate, ModelUpdate


class ModelReader:
    """Looks models up."""

    def __init__(self, session: ReadSession) -> None:
        self.models = ModelRepository(session)
        self.aliases = AliasRepository(session)

    async def get(self, principal: Principal, org: str, name: str) -> Model:
        """Return a model that the caller may see; raises `ModelNotFound`."""
        model = await self.models.one_or_none(self.models.named(self.models.readable_by(principal), org, name))
        if model is None:
            raise ModelNotFound
        return model

    async def find(self, full_name: str) -> Model | None:
        """Return a model by `organization/name`, whoever may see it: for the system."""
        return await self.models.by_full_name(full_name)

    async def by_id(self, model_id: UUID) -> Model | None:
        """Return a model by id, whoever may see it: for the system."""
        return await self.models.by_id(model_id)

    async def get_writable(self, principal: Principal, org: str, name: str) -> Model:
        """Return a model that the caller may change.

        Raises `ModelNotFound`, or `Forbidden` when the caller may only see it.
        """
        model = await self.get(principal, org, name)
        if model.organization_id != principal.organization_id:
            raise Forbidden("the model belongs to another organization")
        return model

    async def list(self, principal: Principal, query: PageQuery, sort: str, search: str | None) -> Listing[Model]:
        """Return the models that the caller may see."""
        return await self.models.page(self.models.matching(principal, search), query, sort)

    def ids(self, principal: Principal) -> Select[UUID]:
        """Select the ids of the models that the caller may see, for a query over what belongs to them."""
        return self.models.ids(self.models.readable_by(principal))

    async def full_names(self, principal: Principal, model_ids: Collection[UUID]) -> dict[UUID, str]:
        """Return `organization/name` of those of the models that the caller may see, in one query."""
        return await self.models.full_names(self.models.readable_by(principal), model_ids)

    async def own(self, principal: Principal, full_names: Collection[str]) -> dict[str, Model]:
        """Return those of some models that the caller's organization has, by full name."""
        own = f"{principal.organization_slug}/"
        names = [name.removeprefix(own) for name in full_names if name.startswith(own)]
        return {model.full_name: model for model in await self.models.own(principal, names)}

    async def alias_numbers(self, models: Sequence[Model]) -> dict[UUID, dict[str, int]]:
        """Return version numbers by alias for several models."""
        return await self.aliases.numbers([model.id for model in models])


class ModelService(ModelReader):
    """Makes and changes models."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)
        self._session = session

    async def create(self, principal: Principal, request: ModelCreate) -> Model:
        """Make a model in the caller's organization; raises `ModelExists`."""
        full_name = f"{principal.organization_slug}/{request.name}"
        if principal.models is not None and full_name not in principal.models:
            raise Forbidden("the API key is limited to other models")
        if await self.models.name_exists(principal.organization_id, request.name):
            raise ModelExists(f"{full_name} exists")
        await self.models.add(Model(organization_id=principal.organization_id, **request.model_dump()))
        model = await self.get(principal, principal.organization_slug, request.name)
        record(self._session, "model.created", model.full_name, model.organization_id)
        return model

    async def update(
        self, principal: Principal, org: str, name: str, request: ModelUpdate, precondition: Precondition
    ) -> Model:
        """Change what is sent; raises `ModelNotFound`, `Forbidden` or `PreconditionFailed`."""
        model = await self.get_writable(principal, org, name)
        precondition.check(model.revision)
        changes = request.model_dump(exclude_unset=True)
        for field, value in changes.items():
            if value is not None or field in {"description", "task"}:
                setattr(model, field, value)
        await self._session.flush()
        record(self._session, "model.updated", model.full_name, model.organization_id, fields=[*sorted(changes)])
        return model

    async def delete(self, principal: Principal, org: str, name: str, precondition: Precondition) -> None:
        """Delete a model with its versions; its artifacts are collected later, its usage stays."""
        model = await self.get_writable(principal, org, name)
        precondition.check(model.revision)
        record(self._session, "model.deleted", model.full_name, model.organization_id)
        await self.models.delete(model)
