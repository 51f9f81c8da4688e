"""A real server in a process of its own, and accounts on it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from argosy.client import Argosy
from tests.client.accounts import new_account
from tests.support.models import classifier_sample, linear_classifier
from tests.support.servers import ServerProcess


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Argosy]:
    """A client with the API key of a new account."""
    with new_account(server) as client:
        yield client


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    path = tmp_path / "sizes.onnx"
    path.write_bytes(linear_classifier())
    return path


@pytest.fixture
def sample_file(tmp_path: Path) -> Path:
    """Inputs with the right answers."""
    path = tmp_path / "sample.json"
    path.write_text(json.dumps(classifier_sample()))
    return path
