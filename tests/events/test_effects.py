"""What an event makes doubtful: of the one model that it names, or of anything."""

import asyncio
from contextlib import suppress

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from argosy.events.effects import CHANGED, HARMLESS, OF_ONE_MODEL, model_signal, signals_of
from argosy.events.freshness import Freshness
from argosy.events.models import Event
from argosy.events.repository import EventRepository
from argosy.events.service import record
from argosy.jobs.models import TRANSITIONS
from argosy.kit.db.session import Database
from tests.support.callers import Caller
from tests.support.models import pushed, settled, upload

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@on_sqlite
async def test_events_of_one_model_name_it(app: FastAPI, owner: Caller) -> None:
    await pushed(owner)
    await upload(owner, "sizes", b"\x08\x09\x12\x00")
    await settled(owner, "sizes", 2)
    model = "/models/owner/sizes"
    for answer in (
        await owner.put(f"{model}/aliases/tried", json={"version": 1}),
        await owner.put(f"{model}/deployment", json={"traffic": [{"alias": "live", "weight": 1}]}),
        await owner.put(f"{model}/payload-logging", json={"enabled": True}),
        await owner.put(f"{model}/response-cache", json={"enabled": True}),
        await owner.patch(f"{model}/versions/1", json={"description": "the first"}),
        await owner.patch(model, json={"description": "sizes"}),
        await owner.delete(model),
    ):
        assert answer.status_code < 300, answer.text
    async with app.state.database.read() as session:
        statement = select(Event.kind, Event.subject).where(Event.kind.in_(OF_ONE_MODEL))
        found = (await session.execute(statement)).all()
    assert {kind for kind, _ in found} == OF_ONE_MODEL
    for kind, subject in found:
        assert model_signal("owner/sizes") in signals_of(kind, subject), (kind, subject)


def test_a_kind_has_one_effect() -> None:
    assert not HARMLESS & OF_ONE_MODEL
    assert signals_of("model.created", "owner/sizes") == ()
    assert {signals_of(f"job.{status}", "a job") for status, then in TRANSITIONS.items() if not then} == {()}
    assert model_signal("owner/sizes") not in signals_of("alias.moved", "owner/others@live")


@on_sqlite
async def test_a_belief_ends_by_what_concerns_it_and_by_what_cannot_be_read(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    database: Database = app.state.database
    freshness = Freshness(database)

    async def change(kind: str, subject: str) -> None:
        async with database.write() as session:
            record(session, kind, subject)

    def beliefs() -> list[bool]:
        return [freshness.holds(one) for one in (of_sizes, of_others, of_any)]

    of_sizes, of_others, of_any = freshness.belief("owner/sizes"), freshness.belief("owner/others"), freshness.belief()
    await change("model.created", "owner/more")
    assert beliefs() == [True, True, True]
    await change("alias.moved", "owner/others@live")
    assert beliefs() == [True, False, False]
    await change("api_key.revoked", "a key")
    assert beliefs() == [False, False, False]

    of_sizes = freshness.belief("owner/sizes")

    async def unreadable(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(EventRepository, "changes", unreadable)
    with suppress(TimeoutError):
        await asyncio.wait_for(freshness.run(), 0.1)
    assert not freshness.holds(of_sizes)


@on_sqlite
async def test_a_belief_ends_when_the_pulse_is_missed_however_long_the_look_waits(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    freshness: Freshness = app.state.fast.freshness

    async def waits(*_: object) -> None:
        await asyncio.Event().wait()

    def away() -> None:
        raise OSError

    monkeypatch.setattr(EventRepository, "changes", waits)
    belief = freshness.belief("owner/sizes")
    await asyncio.sleep(0.7)
    assert freshness.holds(belief)
    changed = app.state.database.signal(CHANGED)
    changed.clear()
    monkeypatch.setattr(app.state.database.pulse, "_read", away)
    async with asyncio.timeout(10):
        await changed.wait()
    assert not freshness.holds(belief)
