"""An application that listens, so that webhooks reach it, with quick payments."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from argosy.settings import PaymentsSettings, Settings
from tests.support.callers import Caller
from tests.support.payments import DELAY, listening, over
from tests.support.settings import make_settings


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    payments = PaymentsSettings(local_delay=DELAY, poll=0.2)
    return make_settings(tmp_path / "data", database_url, payments=payments)


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    limits = httpx2.Limits(max_connections=60)
    async with listening(app) as url, httpx2.AsyncClient(base_url=url, timeout=30, limits=limits) as opened:
        yield opened


@pytest.fixture
def vendor(http: httpx2.AsyncClient, owner: Caller) -> Caller:
    """Someone who sells."""
    return over(http, owner)


@pytest.fixture
def buyer(http: httpx2.AsyncClient, stranger: Caller) -> Caller:
    """Someone who buys."""
    return over(http, stranger)
