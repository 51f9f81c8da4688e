"""What the routes of products are given."""

from typing import Annotated

from fastapi import Depends, Query, Request

from argosy.kit.db.tenancy import SYSTEM
from argosy.kit.money import MAX_AMOUNT, Currency
from argosy.kit.pagination import PageQuery, page_query
from argosy.kit.principal import Principal, Scope
from argosy.kit.schemas import Slug, Text
from argosy.kit.web.security import known, requires
from argosy.kit.web.sessions import Write
from argosy.products.filters import ProductFilters
from argosy.products.models import ProductStatus
from argosy.products.vending import ProductService
from argosy.serving.service import ServingService

Visitor = Annotated[Principal | None, known(Scope.PRODUCTS_READ)]
Editor = Annotated[Principal, requires(Scope.PRODUCTS_WRITE)]
Paging = Annotated[PageQuery, Depends(page_query)]
Bound = Annotated[int | None, Query(ge=0, le=MAX_AMOUNT, description="In minor units.")]


async def product_filters(
    status: Annotated[
        ProductStatus, Query(description="Of drafts and archived products you see your organization's only.")
    ] = ProductStatus.PUBLISHED,
    vendor: Annotated[Slug | None, Query()] = None,
    tag: Annotated[list[Text], Query(max_length=10, description="Repeat it: they have all of them.")] = [],  # noqa: B006
    q: Annotated[Text | None, Query(max_length=200, description="How the name begins.")] = None,
    currency: Annotated[Currency | None, Query()] = None,
    min_price: Bound = None,
    max_price: Bound = None,
    model: Annotated[Text | None, Query(max_length=130, examples=["ada/iris"])] = None,
) -> ProductFilters:
    """Read which products are asked for."""
    return ProductFilters(
        status=status,
        vendor=vendor,
        tags=tuple(tag),
        q=q,
        currency=currency,
        min_price=min_price,
        max_price=max_price,
        model=model,
    )


async def reaching(request: Request, visitor: Visitor) -> Principal | None:
    """Let a route show the models of a product, which are their vendor's; the product is one that may be seen."""
    await request.state.work.act_as(SYSTEM)
    return visitor


async def vending(session: Write) -> ProductService:
    """Return the service of vendors."""
    return ProductService(session)


def serving(request: Request) -> ServingService:
    """Return the service that knows compiled signatures."""
    found: ServingService = request.app.state.serving
    return found


Filters = Annotated[ProductFilters, Depends(product_filters)]
ReachingVisitor = Annotated[Principal | None, Depends(reaching)]
Vending = Annotated[ProductService, Depends(vending)]
Serving = Annotated[ServingService, Depends(serving)]
