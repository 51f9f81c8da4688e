"""A group of commands whose modules are imported when they are run, not to list them."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from argosy.kit import memory


@dataclass(frozen=True, slots=True)
class Lazy:
    """Where a command is, and what `--help` says of it."""

    module: str
    name: str
    help: str

    def load(self, called: str) -> Any:  # noqa: ANN401 - a command or a group of them
        """Import the command, or the group of commands."""
        with memory.importing():
            found = getattr(import_module(self.module), self.name)
        if isinstance(found, typer.Typer):
            command = get_command(found)
        else:
            single = typer.Typer(add_completion=False)
            single.command(called)(found)
            command = get_command(single)
        command.name = called
        return command


class LazyGroup(TyperGroup):
    """Lists its commands by their help, and imports the one that is run."""

    lazy: ClassVar[dict[str, Lazy]] = {}

    def list_commands(self, _ctx: Any) -> list[str]:  # noqa: ANN401 - Click's context
        """Return the names in the order of the table."""
        return list(self.lazy)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401
        """Return a stand-in that knows its help."""
        entry = self.lazy.get(cmd_name)
        return TyperCommand(cmd_name, help=entry.help) if entry else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401
        """Return the real command for the one that is run."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        if name is not None and name in self.lazy:
            return name, self.lazy[name].load(name), rest
        return name, stand_in, rest
