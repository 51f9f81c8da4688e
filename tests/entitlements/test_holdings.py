"""Notes of what a process holds say no more than it does, and are settled once, when the process is gone."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from argosy.entitlements import holdings, quota
from argosy.entitlements.holdings import Holdings
from argosy.entitlements.ledger import Held, Ledger, Units
from argosy.entitlements.periods import span
from argosy.kit.clock import now
from argosy.kit.ids import new_id
from argosy.products.plans import Period
from tests.entitlements.test_quota import used
from tests.support.callers import Caller
from tests.support.entitlements import ROW, granted, with_key

START = datetime(2026, 11, 1, tzinfo=UTC)
FIRST, SECOND, THIRD = [(UUID(int=number), START) for number in (1, 2, 3)]


@pytest.fixture(autouse=True)
def boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What tells starts of the machine apart, on any machine; and a process that holds what it has."""
    boot = tmp_path / "boot_id"
    boot.write_text("a start\n")
    monkeypatch.setattr(holdings, "BOOT_ID", boot)
    monkeypatch.setattr(quota, "IDLE_SECONDS", 60.0)
    return boot


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "quotas"


def noted(folder: Path, *amounts: tuple[holdings.Which, Units]) -> Holdings:
    """Notes of a process that lives."""
    made = Holdings(folder)
    for which, units in amounts:
        made.hold(which, units)
    return made


def gone(process: Holdings) -> None:
    """Have a process end without a word: the system closes its file."""
    assert process._file is not None
    os.close(process._file)


def found(folder: Path) -> list[Held]:
    other = Holdings(folder)
    notes = [other.left(path) for path in other.others()]
    return [held for one in notes if one is not None for held in one.held]


def test_what_a_process_held_last_is_found_when_it_is_gone(folder: Path) -> None:
    process = noted(folder, (FIRST, Units(31, 512)), (SECOND, Units(5, 0)), (THIRD, Units(1, 1)))
    process.change(FIRST, 30, 509)
    process.change(SECOND, 0, 0)
    process.change((UUID(int=9), START), 7, 7)  # of which nothing was noted
    assert found(folder) == [], "it lives"
    process.hold(SECOND, Units(0, 4))
    process.hold(THIRD, Units(2, 2))
    gone(process)
    assert found(folder) == [
        Held(FIRST[0], START, Units(30, 509)),
        Held(SECOND[0], START, Units(0, 4)),
        Held(THIRD[0], START, Units(2, 2)),
    ]


def test_places_are_used_again(folder: Path) -> None:
    process = noted(folder)
    for number in range(100):
        process.hold((UUID(int=number), START), Units(1, 1))
        process.change((UUID(int=number), START), 0, 0)
    (path,) = folder.glob("*.held")
    assert path.stat().st_size == 2 * holdings.PLACE
    process.close()
    assert list(folder.iterdir()) == []


def test_what_is_held_at_the_end_stays_noted(folder: Path) -> None:
    process = noted(folder, (FIRST, Units(1, 1)))
    process.close()
    assert found(folder) == [], "it lives"
    gone(process)
    assert [held.units for held in found(folder)] == [Units(1, 1)]


def test_notes_of_another_start_of_the_machine_and_copies_are_not_believed(folder: Path, boot: Path) -> None:
    gone(noted(folder, (FIRST, Units(1, 1))))
    (path,) = folder.glob("*.held")
    copy = folder / f"{new_id()}.held"
    shutil.copy(path, copy)
    (folder / f"{new_id()}.held").write_bytes(path.read_bytes()[:40])
    assert len(found(folder)) == 1
    other = Holdings(folder)
    assert all(other.left(path) is not None for path in other.others()), "they are found, to be removed"
    boot.write_text("another\n")
    assert found(folder) == []
    boot.unlink()
    assert found(folder) == []
    noted(folder, (FIRST, Units(1, 1)))
    assert len([*folder.iterdir()]) == 3, "nothing is noted where starts cannot be told apart"


def test_a_note_that_cannot_be_lowered_is_not_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = noted(folder, (FIRST, Units(10, 10)))

    def full(*_: object) -> int:
        raise OSError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        process.change(FIRST, 9, 9)
        process.hold(SECOND, Units(1, 1))
    assert list(folder.glob("*.held")) == []
    process.change(FIRST, 8, 8)
    process.hold(SECOND, Units(1, 1))
    gone(process)
    assert found(folder) == [Held(SECOND[0], START, Units(1, 1))]


async def test_it_goes_back_once_and_never_more_than_was_taken(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    entitlement: dict[str, Any] = await granted(owner, stranger, {"period": "month", "calls": 10_000})
    assert (await with_key(stranger)).status_code == 200
    ledger, start = Ledger(app.state.database), span(Period.MONTH, now()).start
    taken = await used(stranger, entitlement)
    held = Held(UUID(entitlement["id"]), start, Units(taken - 1, taken - 1))
    notes = new_id()
    for _ in range(3):
        await ledger.reclaim(notes, [held, Held(UUID(int=1), start, Units(1, 1))])
        assert await used(stranger, entitlement) == 1
    await ledger.reclaim(new_id(), [held])
    assert await used(stranger, entitlement) == 1, "more than the ledger has taken"


async def test_what_is_noted_is_what_is_held_whatever_happens_to_it(
    app: FastAPI, owner: Caller, stranger: Caller
) -> None:
    entitlement = await granted(owner, stranger, {"period": "month", "calls": 10_000})
    wrong = {"rows": [{"width": "wide", "height": 1.0}]}
    answers = [await with_key(stranger, body) for body in (*[ROW] * 3, wrong)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 422]
    keeper = app.state.grants._holdings
    ((which, place),) = keeper._places.items()
    assert which[0] == UUID(entitlement["id"])
    (held,) = app.state.grants._busy
    calls, rows = holdings.AMOUNTS.unpack(os.pread(keeper._file, 16, place + holdings.WHICH.size))
    assert (calls, rows) == (held._calls, held._rows)
    assert (await used(stranger, entitlement)) - calls == 3
    await app.state.grants._close()
    assert keeper._places == {}
    assert keeper._file is None
