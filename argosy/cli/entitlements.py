"""`argosy entitlements`."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from argosy.cli.console import JsonOption, OrganizationOption, YesOption, plain, session, show, sure
from argosy.cli.products import granted
from argosy.client.trade import Entitlement, Used

entitlements = typer.Typer(help="What may be called within which quota.", no_args_is_help=True)
COLUMNS = ("id", "status", "product", "vendor", "organization", "models", "plan", "ends_at")
DETAIL_COLUMNS = (*COLUMNS, "calls", "rows", "until")
EntitlementId = Annotated[str, typer.Argument(metavar="ID", help="The entitlement's id.")]
EndOption = Annotated[datetime | None, typer.Option(help="When it ends, UTC.")]


@entitlements.command("list")
def list_entitlements(
    as_vendor: Annotated[bool, typer.Option("--granted", help="What your organization has granted.")] = False,
    status: Annotated[str | None, typer.Option(help="active, suspended, revoked or expired.")] = None,
    org: OrganizationOption = None,
    json: JsonOption = False,
) -> None:
    """List what your organization may use, newest first."""
    with session(org) as client:
        found = list(client.entitlements(status, granted=as_vendor))
        show(found if json else [_line(one) for one in found], json, COLUMNS)


@entitlements.command("show")
def show_entitlement(entitlement_id: EntitlementId, org: OrganizationOption = None, json: JsonOption = False) -> None:
    """Show an entitlement, with what is used of it in this period."""
    with session(org) as client:
        found = client.entitlement(entitlement_id)
        show(found if json else _line(found), json, DETAIL_COLUMNS)


@entitlements.command("grant")
def grant_entitlement(
    organization: Annotated[str, typer.Argument(help="Slug of the customer.")],
    product_id: Annotated[str, typer.Argument(metavar="PRODUCT", help="Id of a product of yours.")],
    quantity: Annotated[int, typer.Option(help="How many times the product's plan.", min=1)] = 1,
    ends_at: EndOption = None,
    org: OrganizationOption = None,
    json: JsonOption = False,
) -> None:
    """Grant a product of yours without an order."""
    with session(org) as client:
        _show(client.grant_entitlement(organization, product_id, quantity=quantity, ends_at=_utc(ends_at)), json)


@entitlements.command("suspend")
def suspend(entitlement_id: EntitlementId, org: OrganizationOption = None, json: JsonOption = False) -> None:
    """Let nobody use for now what you have granted."""
    with session(org) as client:
        _show(client.update_entitlement(entitlement_id, status="suspended"), json)


@entitlements.command("resume")
def resume(entitlement_id: EntitlementId, org: OrganizationOption = None, json: JsonOption = False) -> None:
    """Let what you have suspended be used again."""
    with session(org) as client:
        _show(client.update_entitlement(entitlement_id, status="active"), json)


@entitlements.command("extend")
def extend(
    entitlement_id: EntitlementId,
    ends_at: Annotated[datetime, typer.Argument(help="When it ends, UTC.")],
    org: OrganizationOption = None,
    json: JsonOption = False,
) -> None:
    """Give what you have granted another end."""
    with session(org) as client:
        _show(client.update_entitlement(entitlement_id, ends_at=_utc(ends_at)), json)


@entitlements.command("keys")
def choose_keys(
    entitlement_id: EntitlementId,
    key: Annotated[list[str] | None, typer.Option(help="Id of a key that may use it; repeat it.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Let every key use it.")] = False,
    org: OrganizationOption = None,
    json: JsonOption = False,
) -> None:
    """Say which of your organization's keys may use what it has bought."""
    if every == bool(key):
        raise typer.BadParameter("give --key, or --all")
    with session(org) as client:
        _show(client.update_entitlement(entitlement_id, api_keys=key or None), json)


@entitlements.command("revoke")
def revoke(
    entitlement_id: EntitlementId, yes: YesOption = False, org: OrganizationOption = None, json: JsonOption = False
) -> None:
    """End what you have granted, for good."""
    sure(f"Revoke {entitlement_id} for good?", yes)
    with session(org) as client:
        _show(client.revoke_entitlement(entitlement_id), json)


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


def _show(entitlement: Entitlement, json: bool) -> None:
    show(entitlement if json else _line(entitlement), json, COLUMNS)


def _line(entitlement: Entitlement) -> dict[str, Any]:
    names = [one.name if one.alias == "live" else f"{one.name}@{one.alias}" for one in entitlement.models]
    current = entitlement.current
    used = {"calls": _used(current.calls), "rows": _used(current.rows), "until": current.end} if current else {}
    return {**plain(entitlement), "models": names, "plan": granted(entitlement.plan), **used}


def _used(used: Used) -> str:
    return str(used.used) if used.limit is None else f"{used.used} of {used.limit}"
