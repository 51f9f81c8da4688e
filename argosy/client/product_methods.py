"""What a client does about products."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from argosy.client import products
from argosy.client.requests import given, under
from argosy.client.running import AsyncRunner, Runner
from argosy.client.trade import Product, ProductPrice


class ProductMethods(Runner):
    """Products: the catalogue of every vendor, and one's own."""

    def products(self, search: str | None = None, **only: Any) -> Iterator[Product]:  # noqa: ANN401
        """List what is on sale, newest first; `search` is how the name begins.

        `only` takes `vendor`, `tag` (a list), `model`, `currency`, `min_price`, `max_price` (in minor units), `sort`,
        and `status`: of `draft` and `archived` your organization's own are listed.
        """
        return self._each(self._list("/products", Product, **given(q=search, **only)))

    def product_facets(self, search: str | None = None, **only: Any) -> dict[str, Any]:  # noqa: ANN401
        """Count tags, vendors, models and currencies among the products that are asked for, as in `products`."""
        return self.send(products.facets(given(q=search, **only)))

    def product(self, product_id: object) -> Product:
        """Show a product."""
        return self.send(products.get(product_id))

    def create_product(
        self,
        name: str,
        models: Sequence[str],
        *,
        price: int,
        currency: str,
        plan: Mapping[str, object],
        **fields: Any,  # noqa: ANN401 - the API's fields
    ) -> Product:
        """Make a draft over models, each `name` or `organization/name`, and perhaps `@alias`.

        `price` is in minor units, such as cents; `plan` has `period`, `calls` or `rows`, and perhaps `rate_per_second`,
        `features` and `stock`; `fields` are `description` and `tags`.
        """
        asked = {"price": {"amount": price, "currency": currency}, "plan": dict(plan), **given(**fields)}
        return self._run(self._create_product(name, models, asked))

    def update_product(
        self,
        product_id: object,
        *,
        revision: int | None = None,
        **changes: Any,  # noqa: ANN401 - the API's fields
    ) -> Product:
        """Change a product of yours; with `revision`, only if nobody has changed it since."""
        return self.send(products.update(product_id, changes, revision))

    def publish_product(self, product_id: object, *, revision: int | None = None) -> Product:
        """Put a product on sale; each of its models needs a published card and a version that answers."""
        return self.send(products.publish(product_id, revision))

    def archive_product(self, product_id: object, *, revision: int | None = None) -> Product:
        """Take a product from sale."""
        return self.send(products.archive(product_id, revision))

    def delete_product(self, product_id: object, *, revision: int | None = None) -> None:
        """Delete a draft."""
        self.send(products.delete(product_id, revision))

    def product_prices(self, product_id: object) -> Iterator[ProductPrice]:
        """List the prices that a product has had, the present one first."""
        return self._each(self._list(under("products", product_id, "prices"), ProductPrice))

    def set_product_price(
        self, product_id: object, price: int, currency: str, *, revision: int | None = None
    ) -> ProductPrice:
        """Give a product another price, in minor units; orders keep the one they were placed at."""
        return self.send(products.set_price(product_id, {"amount": price, "currency": currency}, revision))

    def product_page(self, product_id: object) -> dict[str, Any]:
        """Show what a page about a product shows: its models with their fields, and a request to try."""
        return self.send(products.page(product_id))

    def product_openapi(self, product_id: object) -> dict[str, Any]:
        """Return the OpenAPI document of what a product offers."""
        return self.send(products.document(product_id))


class AsyncProductMethods(AsyncRunner):
    """Products: the catalogue of every vendor, and one's own."""

    def products(self, search: str | None = None, **only: Any) -> AsyncIterator[Product]:  # noqa: ANN401
        """List what is on sale, newest first; `search` is how the name begins.

        `only` takes `vendor`, `tag` (a list), `model`, `currency`, `min_price`, `max_price` (in minor units), `sort`,
        and `status`: of `draft` and `archived` your organization's own are listed.
        """
        return self._each(self._list("/products", Product, **given(q=search, **only)))

    async def product_facets(self, search: str | None = None, **only: Any) -> dict[str, Any]:  # noqa: ANN401
        """Count tags, vendors, models and currencies among the products that are asked for, as in `products`."""
        return await self.send(products.facets(given(q=search, **only)))

    async def product(self, product_id: object) -> Product:
        """Show a product."""
        return await self.send(products.get(product_id))

    async def create_product(
        self,
        name: str,
        models: Sequence[str],
        *,
        price: int,
        currency: str,
        plan: Mapping[str, object],
        **fields: Any,  # noqa: ANN401 - the API's fields
    ) -> Product:
        """Make a draft over models, each `name` or `organization/name`, and perhaps `@alias`.

        `price` is in minor units, such as cents; `plan` has `period`, `calls` or `rows`, and perhaps `rate_per_second`,
        `features` and `stock`; `fields` are `description` and `tags`.
        """
        asked = {"price": {"amount": price, "currency": currency}, "plan": dict(plan), **given(**fields)}
        return await self._run(self._create_product(name, models, asked))

    async def update_product(
        self,
        product_id: object,
        *,
        revision: int | None = None,
        **changes: Any,  # noqa: ANN401 - the API's fields
    ) -> Product:
        """Change a product of yours; with `revision`, only if nobody has changed it since."""
        return await self.send(products.update(product_id, changes, revision))

    async def publish_product(self, product_id: object, *, revision: int | None = None) -> Product:
        """Put a product on sale; each of its models needs a published card and a version that answers."""
        return await self.send(products.publish(product_id, revision))

    async def archive_product(self, product_id: object, *, revision: int | None = None) -> Product:
        """Take a product from sale."""
        return await self.send(products.archive(product_id, revision))

    async def delete_product(self, product_id: object, *, revision: int | None = None) -> None:
        """Delete a draft."""
        await self.send(products.delete(product_id, revision))

    def product_prices(self, product_id: object) -> AsyncIterator[ProductPrice]:
        """List the prices that a product has had, the present one first."""
        return self._each(self._list(under("products", product_id, "prices"), ProductPrice))

    async def set_product_price(
        self, product_id: object, price: int, currency: str, *, revision: int | None = None
    ) -> ProductPrice:
        """Give a product another price, in minor units; orders keep the one they were placed at."""
        return await self.send(products.set_price(product_id, {"amount": price, "currency": currency}, revision))

    async def product_page(self, product_id: object) -> dict[str, Any]:
        """Show what a page about a product shows: its models with their fields, and a request to try."""
        return await self.send(products.page(product_id))

    async def product_openapi(self, product_id: object) -> dict[str, Any]:
        """Return the OpenAPI document of what a product offers."""
        return await self.send(products.document(product_id))
