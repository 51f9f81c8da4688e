"""Garbage is not collected while a process imports, and is again afterwards."""

import gc

import pytest

from argosy.kit import memory


def test_nothing_is_collected_while_importing() -> None:
    assert gc.isenabled()
    with memory.importing():
        assert not gc.isenabled()
        with memory.importing():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_import_that_fails_leaves_collection_on() -> None:
    with pytest.raises(ImportError), memory.importing():
        raise ImportError
    assert gc.isenabled()
