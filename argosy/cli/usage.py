"""`argosy usage`."""

from datetime import datetime
from typing import Annotated, Any

import typer

from argosy.cli.console import CsvOption, JsonOption, save_csv, say, session, show, show_json
from argosy.client.usage import UsageRow

COLUMNS = ("principal_id", "customer", "model", "version", "product_id", "day")
FIGURES = ("calls", "rows", "refused", "errors", "p50_ms", "p95_ms", "p99_ms")
DAY = ["%Y-%m-%d"]


def usage(
    by: Annotated[
        list[str] | None, typer.Option(help="key, model, version, product or day, or customer as a vendor; repeat it.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="`name` or `organization/name`.")] = None,
    version: Annotated[int | None, typer.Option(help="Only of versions with this number.", min=1)] = None,
    key: Annotated[str | None, typer.Option(help="Only of this API key, client or user, by id.")] = None,
    product: Annotated[str | None, typer.Option(help="Only under this product, by id.")] = None,
    as_vendor: Annotated[bool, typer.Option("--as-vendor", help="What others used of your products.")] = False,
    customer: Annotated[str | None, typer.Option(help="Only of this organization, by slug; with --as-vendor.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=DAY, help="First day, UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=DAY, help="Last day, UTC.")] = None,
    sort: Annotated[
        str | None, typer.Option(help="Such as -errors, -calls, -mean_ms or day; `-` is downwards.")
    ] = None,
    csv: CsvOption = None,
    json: JsonOption = False,
) -> None:
    """Show what your organization used, or others of its products: calls, rows, errors and estimated latency."""
    days = {"since": since.date() if since else None, "until": until.date() if until else None}
    only: dict[str, Any] = {"version": version, "key": key, "product": product, "sort": sort, **days}
    only |= {"as_vendor": as_vendor, "customer": customer}
    with session() as client:
        only["model"] = client.full_name(model) if model else None
        if csv is not None:
            save_csv(csv, lambda target: client.export_usage(target, *(by or []), **only), json)
            return
        found = client.usage(*(by or []), **only)
        if json:
            show_json(found)
            return
        grouped = [name for name in COLUMNS if any(getattr(row, name) is not None for row in found.items)]
        show([_line(row) for row in found.items], False, (*(grouped or COLUMNS), *FIGURES))
        say(f"{found.calls} calls, {found.rows} rows, {found.refused} refused, {found.errors} errors")


def _line(row: UsageRow) -> dict[str, Any]:
    found = row.latency
    estimates = {"p50_ms": found.p50.ms, "p95_ms": found.p95.ms, "p99_ms": found.p99.ms} if found else {}
    return {**row.model_dump(mode="json"), **estimates}
