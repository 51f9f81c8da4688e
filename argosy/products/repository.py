"""SQL of products and their prices."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    SQLColumnExpression,
    Subquery,
    Update,
    and_,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.orm import joinedload, selectinload

from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.principal import Principal, Scope
from argosy.kit.repository import Repository, TenantRepository
from argosy.organizations.models import Organization
from argosy.products.filters import ProductFilters
from argosy.products.matching import UNKNOWN, Frequencies, conditions, frequencies
from argosy.products.models import Product, ProductModel, ProductPrice, ProductStatus, ProductTag
from argosy.products.names import key_of
from argosy.products.sales import Sold
from argosy.registry.models import Alias, Model, ModelVersion, VersionStatus

MOST_VALUES = 50


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that a product offers, and the ready version that answers, if there is one."""

    alias: str
    model: Model
    version: ModelVersion | None


class ProductRepository(TenantRepository[Product]):
    """Products: what is or was on sale for everybody, drafts for their vendor."""

    model = Product

    def readable_by(self, principal: Principal | None) -> Select[Product]:
        """Select what was published, and the drafts of the caller's organization for who may see them."""
        return _shown(self._visible_to(principal))

    def writable_by(self, principal: Principal) -> Select[Product]:
        """Select the products of the caller's organization."""
        return _shown(select(Product).where(Product.organization_id == principal.organization_id))

    async def some(self, principal: Principal | None, product_ids: Sequence[UUID]) -> Sequence[Product]:
        """Return those of some products that a caller may see."""
        return (await self._session.scalars(self.readable_by(principal).where(Product.id.in_(product_ids)))).all()

    async def catalogue(
        self, principal: Principal | None, filters: ProductFilters, query: PageQuery, sort: str
    ) -> Listing[Product]:
        """Return one page of the products that are asked for."""
        by = sort.replace("name", "name_key")  # ordered alike by both databases, and indexed
        known = await frequencies(self._session, filters)
        if "name" in by:
            known = replace(known, common_name=False)  # the index of names is that of the order, too
        return await self.page(_shown(self.matching(principal, filters, known)), query, by)

    def matching(
        self, principal: Principal | None, filters: ProductFilters, known: Frequencies = UNKNOWN
    ) -> Select[Product]:
        """Select the products that are asked for: of what is not on sale, the caller's own."""
        statement = self._visible_to(principal).where(Product.status == filters.status)
        if filters.status is not ProductStatus.PUBLISHED:
            own = Product.organization_id == principal.organization_id if principal else false()
            statement = statement.where(own)
        return statement.where(*conditions(filters, known))

    @staticmethod
    def _visible_to(principal: Principal | None) -> Select[Product]:
        public = Product.status != ProductStatus.DRAFT
        if principal is None or not principal.may(Scope.PRODUCTS_READ):
            return select(Product).where(public)
        return select(Product).where(or_(public, Product.organization_id == principal.organization_id))

    async def name_taken(self, organization_id: UUID, name: str, but: UUID | None = None) -> bool:
        """Tell whether a vendor has a product of a name, other than one."""
        clash = and_(Product.organization_id == organization_id, Product.name_key == key_of(name), Product.id != but)
        return bool(await self._session.scalar(select(exists().where(clash))))

    async def take(self, product_id: UUID, quantity: int) -> Sold | None:
        """Count some of a product as sold if it is on sale and there are so many; return what it is now."""
        there = or_(Product.stock.is_(None), Product.sold + quantity <= Product.stock)
        statement = (
            _sold(Product.sold + quantity)
            .where(Product.id == product_id, Product.status == ProductStatus.PUBLISHED, there)
            .returning(Product.name, Product.price, Product.currency, Product.price_number, Product.plan)
            .execution_options(synchronize_session=False)
        )
        row = (await self._session.execute(statement)).one_or_none()
        return Sold(*row) if row else None

    async def put_back(self, product_id: UUID, quantity: int) -> None:
        """Count some of a product as not sold."""
        statement = _sold(Product.sold - quantity).where(Product.id == product_id)
        await self._session.execute(statement.execution_options(synchronize_session=False))

    async def offers(self, product_id: UUID) -> Sequence[Offer]:
        """Return the models of a product with the versions that answer."""
        pointed = and_(Alias.model_id == Model.id, Alias.name == ProductModel.alias)
        ready = and_(ModelVersion.id == Alias.version_id, ModelVersion.status == VersionStatus.READY)
        statement = (
            select(ProductModel.alias, Model, ModelVersion)
            .join(Model, Model.id == ProductModel.model_id)
            .outerjoin(Alias, pointed)
            .outerjoin(ModelVersion, ready)
            .where(ProductModel.product_id == product_id)
            .order_by(ProductModel.id)
            .options(joinedload(Model.organization))
        )
        return [Offer(*row) for row in await self._session.execute(statement)]

    async def tags(self, found: Subquery) -> list[tuple[str, int]]:
        """Count the tags of some products."""
        of_found = select(ProductTag.tag, func.count()).join(found, found.c.id == ProductTag.product_id)
        return await self._most_frequent(of_found, ProductTag.tag)

    async def vendors(self, found: Subquery) -> list[tuple[str, int]]:
        """Count some products by vendor."""
        of_found = select(Organization.slug, func.count()).join(found, found.c.organization_id == Organization.id)
        return await self._most_frequent(of_found, Organization.slug)

    async def models(self, found: Subquery) -> list[tuple[str, int]]:
        """Count the models of some products, by full name."""
        name = Organization.slug + literal_column("'/'") + ProductModel.name  # a parameter could not be grouped by
        of_found = (
            select(name, func.count())
            .select_from(ProductModel)
            .join(found, found.c.id == ProductModel.product_id)
            .join(Organization, Organization.id == ProductModel.organization_id)
        )
        return await self._most_frequent(of_found, name)

    async def currencies(self, found: Subquery) -> list[tuple[str, int, int, int]]:
        """Count some products by currency, with the lowest and the highest price."""
        price = found.c.price
        statement = select(found.c.currency, func.count(), func.min(price), func.max(price))
        counted = statement.group_by(found.c.currency).order_by(func.count().desc(), found.c.currency)
        rows = await self._session.execute(counted.limit(MOST_VALUES))
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    async def _most_frequent(
        self, statement: Select[str, int], value: SQLColumnExpression[str]
    ) -> list[tuple[str, int]]:
        counted = statement.group_by(value).order_by(func.count().desc(), value).limit(MOST_VALUES)
        return [(row[0], row[1]) for row in await self._session.execute(counted)]


class PriceRepository(Repository[ProductPrice]):
    """Prices, reached through their product."""

    model = ProductPrice

    def of(self, product_id: UUID) -> Select[ProductPrice]:
        """Select the prices of a product that the caller has been let see."""
        return select(ProductPrice).where(ProductPrice.product_id == product_id)


def _sold(sold: ColumnElement[int]) -> Update:
    """Return an UPDATE of the count. A sale is no change of the product: its vendor's ETag stays good."""
    return update(Product).values(sold=sold, updated_at=Product.updated_at)


def _shown(statement: Select[Product]) -> Select[Product]:
    """Load what is shown of products: two statements more, however many there are.

    The organization comes by an outer join, so that no planner starts at the organizations.
    """
    return statement.options(joinedload(Product.organization), selectinload(Product.tags), selectinload(Product.models))


def found_by(statement: Select[Product]) -> Subquery:
    """Return what facets are counted from."""
    columns = (Product.id, Product.organization_id, Product.currency, Product.price)
    return statement.with_only_columns(*columns).subquery()
