"""A real server in a process of its own, for tests that use it as a user would."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from argosy.client import Argosy
from tests.support.servers import ServerProcess


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Argosy]:
    """A client of a new account."""
    with server.new_client() as client:
        yield client


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that the test may kill."""
    running = ServerProcess(tmp_path / "data")
    running.start()
    yield running
    running.stop()
