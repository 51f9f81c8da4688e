"""Which products are asked for."""

from dataclasses import dataclass

from argosy.products.models import ProductStatus


@dataclass(frozen=True, slots=True)
class ProductFilters:
    """What the products of a list have in common. Prices are in minor units."""

    status: ProductStatus = ProductStatus.PUBLISHED
    vendor: str | None = None
    tags: tuple[str, ...] = ()
    q: str | None = None
    currency: str | None = None
    min_price: int | None = None
    max_price: int | None = None
    model: str | None = None
