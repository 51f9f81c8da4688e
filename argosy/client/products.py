"""The calls about products."""

from typing import Any

from pydantic_core import to_jsonable_python

from argosy.client.requests import Call, Json, expecting, nothing, once, parsed, under
from argosy.client.trade import Product, ProductPrice


def create(body: Json) -> Call[Product]:
    """Make a product."""
    return Call("POST", "/products", parsed(Product), json=to_jsonable_python(body), headers=once())


def get(product_id: object) -> Call[Product]:
    """Show a product."""
    return Call("GET", _at(product_id), parsed(Product))


def update(product_id: object, changes: Json, revision: int | None) -> Call[Product]:
    """Change a product, if it still has a revision."""
    body = to_jsonable_python(changes)
    return Call("PATCH", _at(product_id), parsed(Product), json=body, headers=expecting(revision))


def delete(product_id: object, revision: int | None) -> Call[None]:
    """Delete a draft, if it still has a revision."""
    return Call("DELETE", _at(product_id), nothing, headers=expecting(revision))


def publish(product_id: object, revision: int | None) -> Call[Product]:
    """Put a product on sale, if it still has a revision."""
    return Call("POST", _at(product_id, "publish"), parsed(Product), headers=once() | expecting(revision))


def archive(product_id: object, revision: int | None) -> Call[Product]:
    """Take a product from sale, if it still has a revision."""
    return Call("POST", _at(product_id, "archive"), parsed(Product), headers=once() | expecting(revision))


def set_price(product_id: object, body: Json, revision: int | None) -> Call[ProductPrice]:
    """Give a product another price, if it still has a revision."""
    headers = once() | expecting(revision)
    return Call("POST", _at(product_id, "prices"), parsed(ProductPrice), json=body, headers=headers)


def document(product_id: object) -> Call[dict[str, Any]]:
    """Show the OpenAPI document of a product."""
    return Call("GET", _at(product_id, "openapi.json"), parsed(dict[str, Any]))


def page(product_id: object) -> Call[dict[str, Any]]:
    """Show all that a page about a product shows."""
    return Call("GET", _at(product_id, "page"), parsed(dict[str, Any]))


def facets(params: Json) -> Call[dict[str, Any]]:
    """Count what products have."""
    return Call("GET", "/products/facets", parsed(dict[str, Any]), params=params)


def _at(product_id: object, *rest: object) -> str:
    return under("products", product_id, *rest)
