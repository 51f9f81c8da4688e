"""Decisions of vendors about their products."""

from typing import Any
from uuid import UUID

from pydantic import JsonValue

from argosy.articles.cards import CardReader
from argosy.events.service import record
from argosy.kit.clock import now
from argosy.kit.db.session import WriteSession
from argosy.kit.errors import Forbidden, invalid
from argosy.kit.money import Price
from argosy.kit.principal import Principal
from argosy.kit.web.etag import Precondition
from argosy.products.errors import (
    CardMissing,
    NothingServes,
    ProductExists,
    ProductStatusConflict,
    StockBelowSold,
)
from argosy.products.models import (
    PRODUCT_TRANSITIONS,
    Product,
    ProductModel,
    ProductPrice,
    ProductStatus,
    ProductTag,
)
from argosy.products.names import key_of
from argosy.products.plans import Plan
from argosy.products.schemas import ProductCreate, ProductUpdate
from argosy.products.service import ProductReader
from argosy.registry.aliases import LIVE
from argosy.registry.service import ModelReader


class ProductService(ProductReader):
    """Makes, changes and publishes products."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)
        self._session = session
        self._cards = CardReader(session)

    async def get_writable(self, principal: Principal, product_id: UUID, precondition: Precondition) -> Product:
        """Return a product that the caller may change.

        Raises `ProductNotFound`, `Forbidden` when the caller may only see it, or `PreconditionFailed`.
        """
        own = self.products.writable_by(principal).where(Product.id == product_id)
        product = await self.products.one_or_none(own)
        if product is None:
            await self.get(principal, product_id)
            raise Forbidden("the product belongs to another organization")
        precondition.check(product.revision)
        return product

    async def create(self, principal: Principal, request: ProductCreate) -> Product:
        """Make a draft; raises `ProductExists`, and `Invalid` for a model that the organization does not have."""
        await self._require_free(principal, request.name)
        product = Product(
            organization_id=principal.organization_id,
            name=request.name,
            name_key=key_of(request.name),
            description=request.description,
            price=request.price.amount,
            currency=request.price.currency,
            created_by=principal.user_id,
            tags=_tags(principal, request.tags),
            models=await self._models(principal, request.models),
            **_columns(request.plan),
        )
        await self.products.add(product)
        await self.prices.add(_price(product, principal))
        self._record("created", product)
        return await self.get(principal, product.id)

    async def update(
        self, principal: Principal, product_id: UUID, request: ProductUpdate, precondition: Precondition
    ) -> Product:
        """Change what is sent; raises what `get_writable` and `create` raise, and `StockBelowSold`."""
        product = await self.get_writable(principal, product_id, precondition)
        await self._replace_lists(product, principal, request)
        if request.name is not None:
            await self._require_free(principal, request.name, but=product.id)
            product.name, product.name_key = request.name, key_of(request.name)
        if "description" in request.model_fields_set:
            product.description = request.description
        if request.plan is not None:
            _require_stock(product, request.plan)
            for column, value in _columns(request.plan).items():
                setattr(product, column, value)
        if request.price is not None and request.price != _price_of(product):
            await self._set_price(product, principal, request.price)
        product.updated_at = now()  # a change of its tags or models is one of the product, and counts as a revision
        await self.products.flush()
        self._record("updated", product, fields=[*sorted(request.model_fields_set)])
        return product

    async def price(
        self, principal: Principal, product_id: UUID, price: Price, precondition: Precondition
    ) -> ProductPrice:
        """Give a product another price from now on; what was ordered keeps its own."""
        product = await self.get_writable(principal, product_id, precondition)
        row = await self._set_price(product, principal, price)
        await self.products.flush()
        return row

    async def publish(self, principal: Principal, product_id: UUID, precondition: Precondition) -> Product:
        """Put a product on sale; raises `ProductStatusConflict`, `NothingServes` and `CardMissing`."""
        product = await self.get_writable(principal, product_id, precondition)
        _move(product, ProductStatus.PUBLISHED)
        await self._require_sellable(product)
        await self.products.flush()
        self._record("published", product)
        return product

    async def archive(self, principal: Principal, product_id: UUID, precondition: Precondition) -> Product:
        """Take a product from sale; raises `ProductStatusConflict`."""
        product = await self.get_writable(principal, product_id, precondition)
        _move(product, ProductStatus.ARCHIVED)
        await self.products.flush()
        self._record("archived", product)
        return product

    async def delete(self, principal: Principal, product_id: UUID, precondition: Precondition) -> None:
        """Delete a draft; raises `ProductStatusConflict` for what was on sale."""
        product = await self.get_writable(principal, product_id, precondition)
        if product.status is not ProductStatus.DRAFT:
            raise ProductStatusConflict("it was on sale, and somebody may have bought it: archive it")
        self._record("deleted", product)
        await self.products.delete(product)

    async def _require_free(self, principal: Principal, name: str, but: UUID | None = None) -> None:
        if await self.products.name_taken(principal.organization_id, name, but):
            raise ProductExists(f"you have a product called {name!r}")

    async def _require_sellable(self, product: Product) -> None:
        offers = await self.offers(product)
        silent = [f"{offer.model.full_name}@{offer.alias}" for offer in offers if offer.version is None]
        if silent:
            raise NothingServes(f"no version is ready where {silent[0]} points", models=[*silent])
        with_card = await self._cards.published([offer.model.id for offer in offers])
        missing = [offer.model.full_name for offer in offers if offer.model.id not in with_card]
        if missing:
            raise CardMissing(f"{missing[0]} has no published card", models=[*missing])

    async def _replace_lists(self, product: Product, principal: Principal, request: ProductUpdate) -> None:
        models = None if request.models is None else await self._models(principal, request.models)
        if request.tags is not None:
            product.tags.clear()
        if models is not None:
            product.models.clear()
        await self.products.flush()  # what was there goes first: it may come again, and is unique
        if request.tags is not None:
            product.tags.extend(_tags(principal, request.tags))
        if models is not None:
            product.models.extend(models)
            await self.products.flush()
            if product.status is ProductStatus.PUBLISHED:
                await self._require_sellable(product)

    async def _models(self, principal: Principal, references: list[str]) -> list[ProductModel]:
        named = [reference.partition("@") for reference in references]
        own = await ModelReader(self._session).own(principal, [name for name, _, _ in named])
        for index, (name, _, _) in enumerate(named):
            if name not in own:
                raise invalid(["body", "models", index], "your organization has no such model")
        return [
            ProductModel(
                organization_id=principal.organization_id,
                model_id=own[name].id,
                name=own[name].name,
                alias=alias or LIVE,
            )
            for name, _, alias in named
        ]

    async def _set_price(self, product: Product, principal: Principal, price: Price) -> ProductPrice:
        product.price, product.currency = price.amount, price.currency
        product.price_number += 1
        self._record("priced", product, amount=price.amount, currency=price.currency, number=product.price_number)
        return await self.prices.add(_price(product, principal))

    def _record(self, happened: str, product: Product, **payload: JsonValue) -> None:
        record(self._session, f"product.{happened}", str(product.id), product.organization_id, **payload)


def _move(product: Product, status: ProductStatus) -> None:
    if status not in PRODUCT_TRANSITIONS[product.status]:
        raise ProductStatusConflict(f"it is {product.status}, and cannot be {status}", product_status=product.status)
    product.status = status


def _tags(principal: Principal, tags: list[str]) -> list[ProductTag]:
    return [ProductTag(organization_id=principal.organization_id, tag=tag) for tag in dict.fromkeys(tags)]


def _columns(plan: Plan) -> dict[str, Any]:
    return {"plan": plan.model_dump(mode="json", exclude={"stock"}), "stock": plan.stock}


def _require_stock(product: Product, plan: Plan) -> None:
    if plan.stock is not None and plan.stock < product.sold:
        raise StockBelowSold(f"{product.sold} are sold", sold=product.sold)


def _price_of(product: Product) -> Price:
    return Price(amount=product.price, currency=product.currency)


def _price(product: Product, principal: Principal) -> ProductPrice:
    return ProductPrice(
        organization_id=product.organization_id,
        product_id=product.id,
        number=product.price_number,
        amount=product.price,
        currency=product.currency,
        created_by=principal.user_id,
    )
