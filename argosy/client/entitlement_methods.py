"""What a client does about entitlements."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from argosy.client import entitlements
from argosy.client.requests import given
from argosy.client.running import AsyncRunner, Runner
from argosy.client.trade import Entitlement


class EntitlementMethods(Runner):
    """What the caller's organization may use of others, and has granted."""

    def entitlements(
        self, status: str | None = None, *, granted: bool = False, sort: str | None = None
    ) -> Iterator[Entitlement]:
        """List what your organization may use, newest first; with `granted`, what it has granted."""
        only = given(status=status, sort=sort, **({"as": "vendor"} if granted else {}))
        return self._each(self._list("/entitlements", Entitlement, **only))

    def entitlement(self, entitlement_id: object) -> Entitlement:
        """Show an entitlement, with what is used and left in this period."""
        return self.send(entitlements.get(entitlement_id))

    def grant_entitlement(
        self,
        organization: str,
        product_id: object,
        **fields: Any,  # noqa: ANN401 - the API's fields
    ) -> Entitlement:
        """Grant a product of yours without an order; `fields` are `quantity`, `starts_at` and `ends_at`."""
        body = {"organization": organization, "product_id": product_id, **given(**fields)}
        return self.send(entitlements.grant(body))

    def update_entitlement(
        self,
        entitlement_id: object,
        *,
        revision: int | None = None,
        **changes: Any,  # noqa: ANN401 - the API's fields
    ) -> Entitlement:
        """Change an entitlement: as its vendor `status`, `plan` and `ends_at`, as its customer `api_keys`."""
        return self.send(entitlements.update(entitlement_id, changes, revision))

    def revoke_entitlement(self, entitlement_id: object, *, revision: int | None = None) -> Entitlement:
        """End what you have granted, for good."""
        return self.send(entitlements.revoke(entitlement_id, revision))


class AsyncEntitlementMethods(AsyncRunner):
    """What the caller's organization may use of others, and has granted."""

    def entitlements(
        self, status: str | None = None, *, granted: bool = False, sort: str | None = None
    ) -> AsyncIterator[Entitlement]:
        """List what your organization may use, newest first; with `granted`, what it has granted."""
        only = given(status=status, sort=sort, **({"as": "vendor"} if granted else {}))
        return self._each(self._list("/entitlements", Entitlement, **only))

    async def entitlement(self, entitlement_id: object) -> Entitlement:
        """Show an entitlement, with what is used and left in this period."""
        return await self.send(entitlements.get(entitlement_id))

    async def grant_entitlement(
        self,
        organization: str,
        product_id: object,
        **fields: Any,  # noqa: ANN401 - the API's fields
    ) -> Entitlement:
        """Grant a product of yours without an order; `fields` are `quantity`, `starts_at` and `ends_at`."""
        body = {"organization": organization, "product_id": product_id, **given(**fields)}
        return await self.send(entitlements.grant(body))

    async def update_entitlement(
        self,
        entitlement_id: object,
        *,
        revision: int | None = None,
        **changes: Any,  # noqa: ANN401 - the API's fields
    ) -> Entitlement:
        """Change an entitlement: as its vendor `status`, `plan` and `ends_at`, as its customer `api_keys`."""
        return await self.send(entitlements.update(entitlement_id, changes, revision))

    async def revoke_entitlement(self, entitlement_id: object, *, revision: int | None = None) -> Entitlement:
        """End what you have granted, for good."""
        return await self.send(entitlements.revoke(entitlement_id, revision))
