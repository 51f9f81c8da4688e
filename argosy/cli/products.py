"""`argosy products`."""

from typing import Annotated, Any

import typer

from argosy.cli.console import JsonOption, OrganizationOption, YesOption, delete, plain, session, show, show_json
from argosy.client import Argosy
from argosy.client.requests import given
from argosy.client.trade import Plan, Product, ProductPrice

products = typer.Typer(help="Products: models on sale, and your own offerings.", no_args_is_help=True)
COLUMNS = ("id", "name", "vendor", "status", "price", "plan", "models", "left")
PRICE_COLUMNS = ("number", "price", "created_at")
ProductId = Annotated[str, typer.Argument(metavar="ID", help="The product's id.")]
ModelsOption = Annotated[
    list[str] | None, typer.Option("--model", help="`name`, `organization/name` or either with `@alias`; repeat it.")
]
PriceOption = Annotated[int | None, typer.Option(help="In minor units, such as cents.", min=1)]
CurrencyOption = Annotated[str, typer.Option(help="ISO 4217.")]
TagsOption = Annotated[list[str] | None, typer.Option("--tag", help="Repeat it for several.")]
RevisionOption = Annotated[int | None, typer.Option(help="Do it only if it still has this revision.")]


@products.command("list")
def list_products(
    search: Annotated[str | None, typer.Option(help="How the name begins.")] = None,
    vendor: Annotated[str | None, typer.Option(help="Slug of who offers them.")] = None,
    model: Annotated[str | None, typer.Option(help="Full name of a model they offer.")] = None,
    tag: TagsOption = None,
    currency: Annotated[str | None, typer.Option(help="ISO 4217.")] = None,
    status: Annotated[str | None, typer.Option(help="published; or draft or archived, of your own.")] = None,
    sort: Annotated[str | None, typer.Option(help="created_at, name or price; `-` is downwards.")] = None,
    org: OrganizationOption = None,
    json: JsonOption = False,
) -> None:
    """List what is on sale, newest first."""
    only = given(vendor=vendor, model=model, tag=tag, currency=currency, status=status, sort=sort)
    with session(org) as client:
        found = list(client.products(search, **only))
        show(found if json else [_line(one) for one in found], json, COLUMNS)


@products.command("show")
def show_product(product_id: ProductId, org: OrganizationOption = None, json: JsonOption = False) -> None:
    """Show a product."""
    with session(org) as client:
        _show(client.product(product_id), json)


@products.command("create")
def create_product(
    name: Annotated[str, typer.Argument()],
    model: ModelsOption = None,
    price: PriceOption = None,
    currency: CurrencyOption = "EUR",
    period: Annotated[str, typer.Option(help="day, week, month or year.")] = "month",
    calls: Annotated[int | None, typer.Option(help="Calls a period.", min=1)] = None,
    rows: Annotated[int | None, typer.Option(help="Rows a period.", min=1)] = None,
    rate: Annotated[int | None, typer.Option(help="Calls a second.", min=1)] = None,
    stock: Annotated[int | None, typer.Option(help="How many may be sold in all.", min=1)] = None,
    feature: Annotated[list[str] | None, typer.Option(help="What else it has; repeat it.")] = None,
    description: Annotated[str | None, typer.Option()] = None,
    tag: TagsOption = None,
    publish: Annotated[bool, typer.Option("--publish", help="Put it on sale at once.")] = False,
    org: OrganizationOption = None,
    json: JsonOption = False,
) -> None:
    """Make a product over models of yours: a draft."""
    if not model or price is None or (calls is None and rows is None):
        raise typer.BadParameter("a product needs --model, --price, and --calls or --rows")
    plan = given(period=period, calls=calls, rows=rows, rate_per_second=rate, stock=stock, features=feature)
    fields = given(description=description, tags=tag)
    with session(org) as client:
        made = client.create_product(name, model, price=price, currency=currency, plan=plan, **fields)
        _show(client.publish_product(made.id, revision=made.revision) if publish else made, json)


@products.command("edit")
def edit_product(
    product_id: ProductId,
    name: Annotated[str | None, typer.Option()] = None,
    description: Annotated[str | None, typer.Option()] = None,
    tag: TagsOption = None,
    revision: RevisionOption = None,
    org: OrganizationOption = None,
    json: JsonOption = False,
) -> None:
    """Change how a product of yours is shown; what is left out stays."""
    changes: dict[str, Any] = given(name=name, description=description, tags=tag)
    if not changes:
        raise typer.BadParameter("give --name, --description or --tag")
    with session(org) as client:
        _show(client.update_product(product_id, revision=revision, **changes), json)


@products.command("price")
def set_price(
    product_id: ProductId,
    price: Annotated[int, typer.Argument(help="In minor units, such as cents.", min=1)],
    currency: CurrencyOption = "EUR",
    org: OrganizationOption = None,
    json: JsonOption = False,
) -> None:
    """Give a product of yours another price; orders keep theirs."""
    with session(org) as client:
        made = client.set_product_price(product_id, price, currency)
        show(made if json else _price(made), json, PRICE_COLUMNS)


@products.command("prices")
def list_prices(product_id: ProductId, org: OrganizationOption = None, json: JsonOption = False) -> None:
    """List the prices that a product has had."""
    with session(org) as client:
        found = list(client.product_prices(product_id))
        show(found if json else [_price(one) for one in found], json, PRICE_COLUMNS)


@products.command("publish")
def publish_product(
    product_id: ProductId, revision: RevisionOption = None, org: OrganizationOption = None, json: JsonOption = False
) -> None:
    """Put a product on sale; its models need published cards and versions that answer."""
    with session(org) as client:
        _show(client.publish_product(product_id, revision=revision), json)


@products.command("archive")
def archive_product(
    product_id: ProductId, revision: RevisionOption = None, org: OrganizationOption = None, json: JsonOption = False
) -> None:
    """Take a product from sale."""
    with session(org) as client:
        _show(client.archive_product(product_id, revision=revision), json)


@products.command("delete")
def delete_product(
    product_id: ProductId, yes: YesOption = False, org: OrganizationOption = None, json: JsonOption = False
) -> None:
    """Delete a draft."""
    delete(product_id, Argosy.delete_product, f"Delete {product_id}?", yes=yes, as_json=json, organization=org)


@products.command("openapi")
def product_openapi(product_id: ProductId, org: OrganizationOption = None) -> None:
    """Print the OpenAPI document of what a product offers."""
    with session(org) as client:
        show_json(client.product_openapi(product_id))


def granted(plan: Plan) -> str:
    """Return what a plan grants, for people to read."""
    bounds = [(plan.calls, "calls"), (plan.rows, "rows")]
    quota = " and ".join(f"{bound} {unit}" for bound, unit in bounds if bound is not None)
    return f"{quota} a {plan.period}" + (f", {plan.rate_per_second}/s" if plan.rate_per_second else "")


def _show(product: Product, json: bool) -> None:
    show(product if json else _line(product), json, COLUMNS)


def _line(product: Product) -> dict[str, Any]:
    return {**plain(product), "price": str(product.price), "plan": granted(product.plan)}


def _price(price: ProductPrice) -> dict[str, Any]:
    return {**plain(price), "price": str(price.price)}
