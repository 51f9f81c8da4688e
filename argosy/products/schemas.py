"""Wire shapes of products."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from argosy.kit.money import Money, Price
from argosy.kit.schemas import Description, Read, RequestSchema, Schema, Tags
from argosy.products.models import Product, ProductPrice, ProductStatus
from argosy.products.names import ProductName
from argosy.products.plans import Plan
from argosy.registry.aliases import LIVE

_SLUG = "[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?"
ModelRef = Annotated[
    str,
    StringConstraints(pattern=f"^{_SLUG}/{_SLUG}(?:@{_SLUG})?$"),
    Field(description="`org/name`, or `org/name@alias`.", examples=["ada/iris"]),
]


def _once(models: list[str]) -> list[str]:
    names = [model.partition("@")[0] for model in models]
    if len(set(names)) < len(names):
        raise ValueError("name each model once")
    return models


ModelRefs = Annotated[list[ModelRef], Field(min_length=1, max_length=20), AfterValidator(_once)]


PRODUCT: JsonDict = {
    "name": "Iris Pro",
    "price": {"amount": 1999, "currency": "EUR"},
    "tags": ["plants"],
    "models": ["ada/iris"],
    "plan": {"period": "month", "calls": 10_000, "rate_per_second": 50},
}


class ProductCreate(RequestSchema):
    """A new product: a draft."""

    model_config = ConfigDict(json_schema_extra={"examples": [PRODUCT]})

    name: ProductName
    description: Description | None = None
    price: Price
    tags: Tags = Field(default_factory=list)
    models: ModelRefs
    plan: Plan


class ProductUpdate(RequestSchema):
    """What may change; a field that is left out stays. What was sold stays as it was sold."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"description": "Tells three kinds of iris apart.", "tags": ["plants"]}]}
    )

    name: ProductName | None = None
    description: Description | None = None
    price: Price | None = None
    tags: Tags | None = None
    models: ModelRefs | None = None
    plan: Plan | None = None


class ProductRead(Read):
    """A product."""

    name: str
    description: str | None
    vendor: str = Field(description="Slug of the organization that offers it.", examples=["ada"])
    status: ProductStatus
    price: Money
    price_number: int = Field(description="The number of this price among those the product has had.")
    tags: list[str]
    models: list[str] = Field(examples=[["ada/iris"]])
    plan: Plan
    left: int | None = Field(description="How many can still be ordered; null: any number.")
    revision: int

    @classmethod
    def of(cls, product: Product) -> Self:
        """Return the wire shape of a row."""
        return cls(
            id=product.id,
            created_at=product.created_at,
            updated_at=product.updated_at,
            name=product.name,
            description=product.description,
            vendor=product.organization.slug,
            status=product.status,
            price=Money.of(product.price, product.currency),
            price_number=product.price_number,
            tags=[row.tag for row in product.tags],
            models=[reference(product, row.name, row.alias) for row in product.models],
            plan=Plan.model_validate({**product.plan, "stock": product.stock}),
            left=None if product.stock is None else product.stock - product.sold,
            revision=product.revision,
        )


def reference(product: Product, name: str, alias: str) -> str:
    """Return a model of a product as it was named."""
    full_name = f"{product.organization.slug}/{name}"
    return full_name if alias == LIVE else f"{full_name}@{alias}"


class PriceRead(Schema):
    """A price that a product has or had."""

    id: UUID
    number: int
    price: Money
    created_at: datetime

    @classmethod
    def of(cls, row: ProductPrice) -> Self:
        """Return the wire shape of a row."""
        return cls(id=row.id, number=row.number, price=Money.of(row.amount, row.currency), created_at=row.created_at)


class FacetValue(Schema):
    """A value, and how many of the products that were asked for have it."""

    value: str
    count: int


class CurrencyFacet(FacetValue):
    """A currency, with the lowest and the highest price in it."""

    min_price: int
    max_price: int


class Facets(Schema):
    """What the products that were asked for have; of each the most frequent values."""

    tags: list[FacetValue]
    vendors: list[FacetValue]
    models: list[FacetValue]
    currencies: list[CurrencyFacet]


class FieldSummary(Schema):
    """An input or an output of a model."""

    name: str
    dtype: str
    shape: list[int | None]
    description: str | None


class OfferedModel(Schema):
    """A model that a product offers, as a page tells of it; `version` is null where nothing serves for now."""

    name: str = Field(examples=["ada/iris"])
    alias: str
    version: int | None
    task: str | None
    description: str | None
    card: str | None = Field(description="Its model card as HTML that is safe to put into a page.")
    inputs: list[FieldSummary]
    outputs: list[FieldSummary]


class ExampleRequest(Schema):
    """A call that the product's first model answers."""

    method: str
    path: str
    body: dict[str, Any]


class ProductPage(Schema):
    """All that a page about a product shows."""

    product: ProductRead
    models: list[OfferedModel]
    example: ExampleRequest | None
