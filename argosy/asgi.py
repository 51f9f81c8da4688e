"""The application for other ASGI servers than ours: `uvicorn --factory argosy.asgi:create_app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from argosy import app as application
from argosy.kit import memory


def create_app() -> FastAPI:
    """Return the application of one process, configured by the environment."""
    app = application.create_app()
    started = app.router.lifespan_context

    @asynccontextmanager
    async def settled(server: FastAPI) -> AsyncIterator[None]:
        async with started(server):
            memory.settle()
            yield

    app.router.lifespan_context = settled
    return app
