"""The examples of request bodies, as the OpenAPI document shows them."""

import pytest

import argosy.app  # noqa: F401 - every domain
from argosy.entitlements.schemas import EntitlementCreate, EntitlementUpdate
from argosy.kit.money import Price
from argosy.kit.schemas import RequestSchema
from argosy.orders.schemas import OrderCreate
from argosy.payments.schemas import PayRequest
from argosy.products.schemas import ProductCreate, ProductUpdate

TRADE = {ProductCreate, ProductUpdate, Price, OrderCreate, PayRequest, EntitlementCreate, EntitlementUpdate}


def exemplified(kind: type[RequestSchema]) -> set[type[RequestSchema]]:
    """Those of a schema and of what is derived from it that have an example."""
    found = {one for child in kind.__subclasses__() for one in exemplified(child)}
    extra = kind.model_config.get("json_schema_extra")
    return found | {kind} if isinstance(extra, dict) and "examples" in extra else found


def test_what_trade_is_asked_has_examples() -> None:
    assert exemplified(RequestSchema) >= TRADE


@pytest.mark.parametrize("kind", sorted(exemplified(RequestSchema), key=str))
def test_an_example_is_taken(kind: type[RequestSchema]) -> None:
    extra = kind.model_config["json_schema_extra"]
    assert isinstance(extra, dict)
    examples = extra["examples"]
    assert isinstance(examples, list)
    for example in examples:
        kind.model_validate(example)
