"""Looking products up."""

from collections.abc import Sequence
from uuid import UUID

from argosy.kit.db.session import ReadSession
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.principal import Principal
from argosy.products.errors import ProductNotFound
from argosy.products.filters import ProductFilters
from argosy.products.models import Product, ProductPrice
from argosy.products.repository import Offer, PriceRepository, ProductRepository, found_by
from argosy.products.schemas import CurrencyFacet, Facets, FacetValue


class ProductReader:
    """Looks products up, for callers and for visitors, who are None."""

    def __init__(self, session: ReadSession) -> None:
        self.products = ProductRepository(session)
        self.prices = PriceRepository(session)

    async def get(self, principal: Principal | None, product_id: UUID) -> Product:
        """Return a product that the caller may see; raises `ProductNotFound`."""
        product = await self.products.one_or_none(self.products.readable_by(principal).where(Product.id == product_id))
        if product is None:
            raise ProductNotFound
        return product

    async def some(self, principal: Principal | None, product_ids: Sequence[UUID]) -> dict[UUID, Product]:
        """Return those of some products that the caller may see, by id."""
        return {one.id: one for one in await self.products.some(principal, product_ids)}

    async def list(
        self, principal: Principal | None, filters: ProductFilters, query: PageQuery, sort: str
    ) -> Listing[Product]:
        """Return the products that are asked for."""
        return await self.products.catalogue(principal, filters, query, sort)

    async def facets(self, principal: Principal | None, filters: ProductFilters) -> Facets:
        """Count what the products that are asked for have."""
        found = found_by(self.products.matching(principal, filters))
        return Facets(
            tags=[FacetValue(value=value, count=count) for value, count in await self.products.tags(found)],
            vendors=[FacetValue(value=value, count=count) for value, count in await self.products.vendors(found)],
            models=[FacetValue(value=value, count=count) for value, count in await self.products.models(found)],
            currencies=[
                CurrencyFacet(value=value, count=count, min_price=low, max_price=high)
                for value, count, low, high in await self.products.currencies(found)
            ],
        )

    async def history(self, principal: Principal | None, product_id: UUID, query: PageQuery) -> Listing[ProductPrice]:
        """Return the prices of a product, newest first."""
        product = await self.get(principal, product_id)
        return await self.prices.page(self.prices.of(product.id), query, "-number")

    async def offers(self, product: Product) -> Sequence[Offer]:
        """Return the models of a product with the versions that answer."""
        return await self.products.offers(product.id)
