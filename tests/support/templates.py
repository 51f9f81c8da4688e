"""Databases with accounts in them, made once and copied for each test: registering takes longer than most tests do."""

import asyncio
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import httpx2

from argosy.app import create_app
from tests.support.callers import Caller, register
from tests.support.databases import PostgresServer
from tests.support.mail import idle
from tests.support.settings import make_settings

# Codes that were mailed expire after 10 minutes, access tokens after 15; a test takes two at most.
FRESH_SECONDS = 480.0


@dataclass(frozen=True)
class Template:
    """A database, the data folder that goes with it, and who has an account."""

    database: str
    data: Path
    callers: dict[str, Caller]
    made: float


class Templates:
    """The templates of one test process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()
        self._made: dict[tuple[str, frozenset[str]], Template] = {}
        self._used: Template | None = None

    def sqlite(self, empty: Path, names: frozenset[str], folder: Path) -> str:
        """Put a database with these accounts in a folder; return its URL."""
        path = folder / "argosy.db"
        template = self._kept("sqlite", names)
        if names and template is None:
            made = self._folder / f"{next(self._numbers)}.db"
            shutil.copyfile(empty, made)
            template = self._settle("sqlite", names, str(made), f"sqlite:///{made}")
        shutil.copyfile(template.database if template else empty, path)
        self._use(template, folder)
        return f"sqlite:///{path}"

    def postgresql(self, server: PostgresServer, names: frozenset[str], folder: Path) -> str:
        """Make a database with these accounts, and put its data into a folder; return its name."""
        template = self._kept("postgresql", names)
        if names and template is None:
            made = server.copy()
            template = self._settle("postgresql", names, made, server.url(made))
        self._use(template, folder)
        return server.copy(template.database) if template else server.copy()

    def caller(self, http: httpx2.AsyncClient, name: str) -> Caller:
        """Return who has an account in the database used last, calling through a client."""
        assert self._used is not None
        return replace(self._used.callers[name], http=http)

    def _kept(self, kind: str, names: frozenset[str]) -> Template | None:
        template = self._made.get((kind, names))
        return template if template and time.monotonic() - template.made < FRESH_SECONDS else None

    def _settle(self, kind: str, names: frozenset[str], database: str, url: str) -> Template:
        data = self._folder / f"data{next(self._numbers)}"
        # In a thread of its own, because it needs a loop of its own.
        with ThreadPoolExecutor(1) as thread:
            callers = thread.submit(asyncio.run, _register(url, data, names)).result()
        template = self._made[kind, names] = Template(database, data, callers, time.monotonic())
        return template

    def _use(self, template: Template | None, folder: Path) -> None:
        self._used = template
        if template:
            shutil.copytree(template.data, folder / "data")


async def _register(url: str, data: Path, names: frozenset[str]) -> dict[str, Caller]:
    """Register accounts, and let everything that follows from it happen."""
    app = create_app(make_settings(data, url))
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://argosy.test") as http:
            callers = {name: await register(http, name) for name in sorted(names)}
        await idle(app)
    return callers
