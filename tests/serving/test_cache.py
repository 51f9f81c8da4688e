"""The cache of loaded models: one load for many callers, bounded, and a failure is not kept."""

import asyncio

import pytest

from argosy.serving.cache import SingleFlightCache


class Loader:
    def __init__(self, *, failures: int = 0) -> None:
        self.loads: list[str] = []
        self.failures = failures

    async def __call__(self, key: str) -> str:
        self.loads.append(key)
        await asyncio.sleep(0.01)
        if self.failures:
            self.failures -= 1
            raise BrokenPipeError
        return key.upper()


async def test_many_callers_of_a_cold_key_load_it_once() -> None:
    loader = Loader()
    cache = SingleFlightCache[str, str](2, loader)
    assert await asyncio.gather(*(cache.get("a") for _ in range(20))) == ["A"] * 20
    assert loader.loads == ["a"]


async def test_what_was_used_longest_ago_goes_first() -> None:
    loader = Loader()
    cache = SingleFlightCache[str, str](2, loader)
    for key in ("a", "b", "a", "c", "a", "b"):
        await cache.get(key)
    assert loader.loads == ["a", "b", "c", "b"]


async def test_a_failure_is_tried_again() -> None:
    loader = Loader(failures=1)
    cache = SingleFlightCache[str, str](2, loader)
    with pytest.raises(BrokenPipeError):
        await cache.get("a")
    assert await cache.get("a") == "A"


async def test_a_caller_that_leaves_does_not_take_the_load_along() -> None:
    loader = Loader()
    cache = SingleFlightCache[str, str](2, loader)
    leaving = asyncio.create_task(cache.get("a"))
    staying = asyncio.create_task(cache.get("a"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == "A"
    assert loader.loads == ["a"]
