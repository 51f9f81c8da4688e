"""The calls about entitlements."""

from pydantic_core import to_jsonable_python

from argosy.client.requests import Call, Json, expecting, once, parsed, under
from argosy.client.trade import Entitlement


def get(entitlement_id: object) -> Call[Entitlement]:
    """Show an entitlement."""
    return Call("GET", _at(entitlement_id), parsed(Entitlement))


def grant(body: Json) -> Call[Entitlement]:
    """Grant a product without an order."""
    return Call("POST", "/entitlements", parsed(Entitlement), json=to_jsonable_python(body), headers=once())


def update(entitlement_id: object, changes: Json, revision: int | None) -> Call[Entitlement]:
    """Change an entitlement, if it still has a revision."""
    body = to_jsonable_python(changes)
    return Call("PATCH", _at(entitlement_id), parsed(Entitlement), json=body, headers=expecting(revision))


def revoke(entitlement_id: object, revision: int | None) -> Call[Entitlement]:
    """End an entitlement for good, if it still has a revision."""
    headers = once() | expecting(revision)
    return Call("POST", _at(entitlement_id, "revoke"), parsed(Entitlement), headers=headers)


def _at(entitlement_id: object, *rest: object) -> str:
    return under("entitlements", entitlement_id, *rest)
