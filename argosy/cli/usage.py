"""`argosy usage`."""

from typing import Annotated

import typer

from argosy.cli.console import JsonOption, say, session, show, show_json


def usage(
    by: Annotated[list[str] | None, typer.Option(help="key, model, version or day; repeat it.")] = None,
    model: Annotated[str | None, typer.Option(help="`name` or `organization/name`.")] = None,
    json: JsonOption = False,
) -> None:
    """Show what your organization used."""
    with session() as client:
        found = client.usage(*(by or []), model=client.full_name(model) if model else None)
        if json:
            show_json(found)
            return
        columns = ("principal_id", "model", "version", "day", "calls", "rows")
        grouped = [name for name in columns if any(getattr(row, name) is not None for row in found.items)]
        show(found.items, False, grouped or columns)
        say(f"{found.calls} calls, {found.rows} rows")
