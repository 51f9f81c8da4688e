"""Routes of products."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from argosy.articles.cards import CardReader
from argosy.kit.errors import PreconditionFailed
from argosy.kit.money import Price
from argosy.kit.pagination import CursorPage, Page, to_page
from argosy.kit.web.etag import IfMatch, tagged
from argosy.kit.web.idempotency import Idempotent
from argosy.kit.web.openapi import GUARDED, problems
from argosy.kit.web.routing import TransactionalRoute
from argosy.kit.web.security import FOR_ANYBODY
from argosy.kit.web.sessions import Read
from argosy.products.dependencies import Editor, Filters, Paging, ReachingVisitor, Serving, Vending, Visitor
from argosy.products.errors import (
    CardMissing,
    NothingServes,
    ProductExists,
    ProductNotFound,
    ProductStatusConflict,
    StockBelowSold,
)
from argosy.products.pages import document_of, page_of
from argosy.products.schemas import Facets, PriceRead, ProductCreate, ProductPage, ProductRead, ProductUpdate
from argosy.products.service import ProductReader

router = APIRouter(prefix="/products", tags=["products"], route_class=TransactionalRoute, responses=GUARDED)
ABSENT = problems(ProductNotFound)
CHANGED = problems(ProductNotFound, PreconditionFailed)


class ProductSort(StrEnum):
    """Sort orders of products."""

    OLDEST = "created_at"
    NEWEST = "-created_at"
    NAME = "name"
    NAME_DESCENDING = "-name"
    CHEAPEST = "price"
    DEAREST = "-price"


@router.post("", status_code=201, responses=problems(ProductExists), dependencies=[Idempotent])
async def create_product(body: ProductCreate, principal: Editor, service: Vending, response: Response) -> ProductRead:
    """Make a product over models of your organization: a draft, until you publish it."""
    product = await service.create(principal, body)
    return tagged(response, ProductRead.of(product))


@router.get("", openapi_extra=FOR_ANYBODY)
async def list_products(
    visitor: Visitor,
    session: Read,
    query: Paging,
    filters: Filters,
    sort: Annotated[ProductSort, Query()] = ProductSort.NEWEST,
) -> Page[ProductRead] | CursorPage[ProductRead]:
    """List what is on sale, from every vendor; no credentials are needed."""
    return to_page(await ProductReader(session).list(visitor, filters, query, sort), ProductRead.of)


@router.get("/facets", openapi_extra=FOR_ANYBODY)
async def get_product_facets(visitor: Visitor, session: Read, filters: Filters) -> Facets:
    """Count tags, vendors, models and currencies among the products that are asked for."""
    return await ProductReader(session).facets(visitor, filters)


@router.get("/{product_id}", responses=ABSENT, openapi_extra=FOR_ANYBODY)
async def get_product(product_id: UUID, visitor: Visitor, session: Read, response: Response) -> ProductRead:
    """Show a product; drafts are shown to their vendor only."""
    product = await ProductReader(session).get(visitor, product_id)
    return tagged(response, ProductRead.of(product))


@router.patch(
    "/{product_id}",
    responses=CHANGED | problems(ProductExists, StockBelowSold, CardMissing, NothingServes),
)
async def update_product(
    product_id: UUID, body: ProductUpdate, principal: Editor, service: Vending, if_match: IfMatch, response: Response
) -> ProductRead:
    """Change a product; what was ordered stays as it was ordered."""
    product = await service.update(principal, product_id, body, if_match)
    return tagged(response, ProductRead.of(product))


@router.delete("/{product_id}", status_code=204, responses=CHANGED | problems(ProductStatusConflict))
async def delete_product(product_id: UUID, principal: Editor, service: Vending, if_match: IfMatch) -> None:
    """Delete a draft; what was on sale is archived instead."""
    await service.delete(principal, product_id, if_match)


@router.post(
    "/{product_id}/publish",
    responses=CHANGED | problems(ProductStatusConflict, CardMissing, NothingServes),
    dependencies=[Idempotent],
)
async def publish_product(
    product_id: UUID, principal: Editor, service: Vending, if_match: IfMatch, response: Response
) -> ProductRead:
    """Put a product on sale; each of its models needs a card and a version that answers."""
    product = await service.publish(principal, product_id, if_match)
    return tagged(response, ProductRead.of(product))


@router.post("/{product_id}/archive", responses=CHANGED | problems(ProductStatusConflict), dependencies=[Idempotent])
async def archive_product(
    product_id: UUID, principal: Editor, service: Vending, if_match: IfMatch, response: Response
) -> ProductRead:
    """Take a product from sale: no list has it any more, and who knows its id still reads it."""
    product = await service.archive(principal, product_id, if_match)
    return tagged(response, ProductRead.of(product))


@router.get("/{product_id}/prices", responses=ABSENT, openapi_extra=FOR_ANYBODY)
async def list_product_prices(
    product_id: UUID, visitor: Visitor, session: Read, query: Paging
) -> Page[PriceRead] | CursorPage[PriceRead]:
    """List the prices of a product, the present one first."""
    return to_page(await ProductReader(session).history(visitor, product_id, query), PriceRead.of)


@router.post("/{product_id}/prices", status_code=201, responses=CHANGED, dependencies=[Idempotent])
async def set_product_price(
    product_id: UUID, body: Price, principal: Editor, service: Vending, if_match: IfMatch
) -> PriceRead:
    """Give a product another price; orders keep the one they were placed at."""
    return PriceRead.of(await service.price(principal, product_id, body, if_match))


@router.get("/{product_id}/openapi.json", responses=ABSENT, openapi_extra=FOR_ANYBODY)
async def get_product_document(
    product_id: UUID, visitor: ReachingVisitor, session: Read, serving: Serving
) -> dict[str, Any]:
    """Return the product's own OpenAPI document: the typed routes of its models."""
    reader = ProductReader(session)
    product = await reader.get(visitor, product_id)
    return await document_of(product, await reader.offers(product), serving)


@router.get("/{product_id}/page", responses=ABSENT, openapi_extra=FOR_ANYBODY)
async def get_product_page(product_id: UUID, visitor: ReachingVisitor, session: Read, serving: Serving) -> ProductPage:
    """Return what a page about the product shows: its plan, its models with their fields, and a request to try."""
    reader = ProductReader(session)
    product = await reader.get(visitor, product_id)
    offers = await reader.offers(product)
    cards = await CardReader(session).published([offer.model.id for offer in offers])
    return await page_of(product, offers, cards, serving)
