"""What runs the flows: one runner sends and sleeps by itself, the other awaits."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from argosy.client.base import opened
from argosy.client.downloads import saving
from argosy.client.flows import Exchange, Flow, Pause, Refresh, Work
from argosy.client.requests import Call
from argosy.client.results import CursorPage
from argosy.client.trading import TradingClient

T = TypeVar("T")


class Runner(TradingClient):
    """Runs flows here and now; threads may share it."""

    def __init__(
        self,
        url: str | None = None,
        *,
        timeout: float = 60.0,
        transport: httpx2.BaseTransport | None = None,
        **credentials: Any,  # noqa: ANN401 - those of BaseClient
    ) -> None:
        super().__init__(url, **credentials)
        self._http = httpx2.Client(timeout=timeout, transport=transport)
        self._signing_in = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, call: Call[T]) -> T:
        """Make a call, trying again where that does no harm; raises `ArgosyAPIError` or `ArgosyConnectionError`."""
        return self._run(self._send(call))

    def _run(self, flow: Flow[T]) -> T:
        """Run a flow: do each of its actions, here and now."""
        try:
            action = next(flow)
            while True:
                try:
                    outcome = self._do(action)
                except httpx2.TransportError as error:
                    action = flow.throw(error)
                else:
                    action = flow.send(outcome)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            flow.close()

    def _do(self, action: Exchange | Pause | Work | Refresh) -> Any:  # noqa: ANN401 - what the flow expects
        match action:
            case Exchange(call):
                return self._exchange(call)
            case Pause(seconds):
                return time.sleep(seconds)
            case Work(function):
                return function()
            case Refresh(stale):
                with self._signing_in:
                    if self._access_token == stale:
                        self._run(self._sign_in())
                return None

    def _exchange(self, call: Call[Any]) -> httpx2.Response:
        with opened(call) as files:
            response = self._http.send(self._request(self._http, call, files), stream=call.target is not None)
            if call.target is None:
                return response
            try:
                if response.is_error:
                    response.read()
                    return response
                with saving(call.target) as file:
                    for chunk in response.iter_bytes():
                        file.write(chunk)
            finally:
                response.close()
        return response

    def _each(self, get_page: Callable[[str], Flow[CursorPage[T]]]) -> Iterator[T]:
        cursor: str | None = ""
        while cursor is not None:
            page = self._run(get_page(cursor))
            yield from page.items
            cursor = page.next_cursor


class AsyncRunner(TradingClient):
    """Runs flows without blocking; tasks of one event loop may share it."""

    def __init__(
        self,
        url: str | None = None,
        *,
        timeout: float = 60.0,
        transport: httpx2.AsyncBaseTransport | None = None,
        **credentials: Any,  # noqa: ANN401 - those of BaseClient
    ) -> None:
        super().__init__(url, **credentials)
        self._http = httpx2.AsyncClient(timeout=timeout, transport=transport)
        self._signing_in = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, call: Call[T]) -> T:
        """Make a call, trying again where that does no harm; raises `ArgosyAPIError` or `ArgosyConnectionError`."""
        return await self._run(self._send(call))

    async def _run(self, flow: Flow[T]) -> T:
        """Run a flow: do each of its actions, awaiting what takes time."""
        try:
            action = next(flow)
            while True:
                try:
                    outcome = await self._do(action)
                except httpx2.TransportError as error:
                    action = flow.throw(error)
                else:
                    action = flow.send(outcome)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            flow.close()

    async def _do(self, action: Exchange | Pause | Work | Refresh) -> Any:  # noqa: ANN401 - what the flow expects
        match action:
            case Exchange(call):
                return await self._exchange(call)
            case Pause(seconds):
                return await asyncio.sleep(seconds)
            case Work(function):
                return await asyncio.to_thread(function)
            case Refresh(stale):
                async with self._signing_in:
                    if self._access_token == stale:
                        await self._run(self._sign_in())
                return None

    async def _exchange(self, call: Call[Any]) -> httpx2.Response:
        with opened(call) as files:
            response = await self._http.send(self._request(self._http, call, files), stream=call.target is not None)
            if call.target is None:
                return response
            try:
                if response.is_error:
                    await response.aread()
                    return response
                with saving(call.target) as file:
                    async for chunk in response.aiter_bytes():
                        file.write(chunk)
            finally:
                await response.aclose()
        return response

    async def _each(self, get_page: Callable[[str], Flow[CursorPage[T]]]) -> AsyncIterator[T]:
        cursor: str | None = ""
        while cursor is not None:
            page = await self._run(get_page(cursor))
            for item in page.items:
                yield item
            cursor = page.next_cursor
