"""Rendering that takes neither the server's time nor the database's: bounded, and before a transaction that writes.

Some texts take time and memory that grow with the square of their length, and a thread cannot be stopped. So what is
not short is rendered by a process of its own, which ends at its limits or is ended.
"""

import asyncio
import html
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from argosy.articles import markdown
from argosy.articles.errors import NotRenderable
from argosy.articles.markdown import Rendered, rendered
from argosy.kit.errors import Unavailable

SHORT = 500  # the worst that was found takes a fifth of a second
SECONDS = 10.0  # by the clock, on a busy machine too; of the processor's time there are CPU_SECONDS
AT_ONCE = 2
_turns = asyncio.Semaphore(AT_ONCE)


async def render(content: str) -> Rendered:
    """Render Markdown; raises `NotRenderable` for what exceeds the limits, `Unavailable` when too much waits."""
    async with _turn():
        return await (asyncio.to_thread(rendered, content) if len(content) <= SHORT else _isolated(content))


async def readable(content: str) -> str:
    """Return Markdown as HTML to read; as it was written where it cannot be rendered."""
    try:
        return (await render(content)).html
    except NotRenderable:
        return f"<pre>{html.escape(content)}</pre>"


@asynccontextmanager
async def _turn() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(SECONDS):
            await _turns.acquire()
    except TimeoutError as error:
        raise Unavailable("too many articles are rendered at once") from error
    try:
        yield
    finally:
        _turns.release()


async def _isolated(content: str) -> Rendered:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(Path(markdown.__file__)),
        env={},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(SECONDS):
            output, _ = await process.communicate(content.encode())
    except TimeoutError as error:
        raise NotRenderable from error
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if process.returncode != 0:
        raise NotRenderable
    return Rendered(**json.loads(output))
