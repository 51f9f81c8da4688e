"""SQL of entitlements."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.orm import selectinload

from argosy.entitlements.models import Entitlement, EntitlementModel, EntitlementPeriod
from argosy.entitlements.states import EntitlementStatus
from argosy.identity.models import ApiKey
from argosy.kit.db.pulse import MOMENT
from argosy.kit.principal import Principal
from argosy.kit.repository import TenantRepository
from argosy.organizations.models import Organization
from argosy.products.models import ProductModel
from argosy.registry.models import Model


class EntitlementRepository(TenantRepository[Entitlement]):
    """Entitlements, read by their customer and by their vendor."""

    model = Entitlement

    def readable_by(self, principal: Principal) -> Select[Entitlement]:
        """Select what the caller's organization has, or has granted."""
        mine = Entitlement.organization_id == principal.organization_id
        return _shown(select(Entitlement).where(or_(mine, Entitlement.vendor_id == principal.organization_id)))

    def writable_by(self, principal: Principal) -> Select[Entitlement]:
        """Select what the caller's organization has."""
        return _shown(super().writable_by(principal))

    def granted_by(self, principal: Principal) -> Select[Entitlement]:
        """Select what the caller's organization has granted."""
        return _shown(select(Entitlement).where(Entitlement.vendor_id == principal.organization_id))

    async def of_order(self, order_id: UUID) -> Sequence[Entitlement]:
        """Return what an order was given; for the system."""
        statement = select(Entitlement).where(Entitlement.order_id == order_id).order_by(Entitlement.id)
        return (await self._session.scalars(statement)).all()

    async def any_ended(self) -> bool:
        """Tell whether anything is over that is not known to be; for the system."""
        return bool(await self._session.scalar(select(self.has_ended())))

    @staticmethod
    def has_ended() -> ColumnElement[bool]:
        """Whether anything is over that is not known to be."""
        return exists().where(_over(MOMENT))

    async def ended(self, moment: datetime, limit: int) -> Sequence[Entitlement]:
        """Return what is over and is not known to be; for the system."""
        statement = select(Entitlement).where(_over(moment)).order_by(Entitlement.ends_at).limit(limit)
        return (await self._session.scalars(statement.with_for_update(skip_locked=True))).all()

    async def covering(
        self, principal: Principal, org: str, name: str, alias: str, moment: datetime
    ) -> Sequence[Entitlement]:
        """Return what lets a caller's organization use a model by an alias, first what ends first; for the system."""
        statement = (
            self._in_force(principal, moment)
            .join(Model, Model.id == EntitlementModel.model_id)
            .join(Organization, Organization.id == Model.organization_id)
            .where(Organization.slug == org, Model.name == name, EntitlementModel.alias == alias)
            .order_by(Entitlement.ends_at.asc().nulls_last(), Entitlement.id)
        )
        return (await self._session.scalars(statement)).all()

    async def covered(self, principal: Principal, moment: datetime) -> Sequence[tuple[Entitlement, EntitlementModel]]:
        """Return all that a caller's organization may use; for the system."""
        statement = self._in_force(principal, moment).add_columns(EntitlementModel).order_by(EntitlementModel.name)
        return [(row[0], row[1]) for row in await self._session.execute(statement)]

    @staticmethod
    def _in_force(principal: Principal, moment: datetime) -> Select[Entitlement]:
        return (
            select(Entitlement)
            .join(EntitlementModel, EntitlementModel.entitlement_id == Entitlement.id)
            .where(Entitlement.organization_id == principal.organization_id, in_force(moment))
        )

    async def taken(self, entitlement_id: UUID, start: datetime) -> tuple[int, int]:
        """Return calls and rows that were taken in a period."""
        statement = select(EntitlementPeriod.calls_taken, EntitlementPeriod.rows_taken).where(
            EntitlementPeriod.entitlement_id == entitlement_id, EntitlementPeriod.period_start == start
        )
        row = (await self._session.execute(statement)).one_or_none()
        return (row[0], row[1]) if row else (0, 0)

    async def offered(self, product_id: UUID) -> Sequence[tuple[ProductModel, str]]:
        """Return the models of a product, with their organization's slug."""
        statement = (
            select(ProductModel, Organization.slug)
            .join(Organization, Organization.id == ProductModel.organization_id)
            .where(ProductModel.product_id == product_id)
            .order_by(ProductModel.id)
        )
        return [(row[0], row[1]) for row in await self._session.execute(statement)]

    async def keys_of(self, organization_id: UUID, key_ids: Collection[UUID]) -> set[UUID]:
        """Return those of some API keys that an organization has."""
        statement = select(ApiKey.id).where(ApiKey.organization_id == organization_id, ApiKey.id.in_(key_ids))
        return set(await self._session.scalars(statement))


def in_force(moment: datetime) -> ColumnElement[bool]:
    """Return the condition of an entitlement that lets in at a moment."""
    return and_(
        Entitlement.status == EntitlementStatus.ACTIVE,
        Entitlement.starts_at <= moment,
        or_(Entitlement.ends_at.is_(None), Entitlement.ends_at > moment),
    )


def _over(moment: datetime | ColumnElement[datetime]) -> ColumnElement[bool]:
    open_states = (EntitlementStatus.ACTIVE, EntitlementStatus.SUSPENDED)
    return and_(Entitlement.status.in_(open_states), Entitlement.ends_at <= moment)


def _shown(statement: Select[Entitlement]) -> Select[Entitlement]:
    return statement.options(selectinload(Entitlement.models))
