"""The application: wiring, nothing else."""

import asyncio
import re
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, FastAPI

from argosy import __version__, migrations
from argosy.engines.storage.local import LocalArtifactStore
from argosy.events.dispatcher import Consumer, Dispatcher
from argosy.identity import router as identity
from argosy.identity.authenticator import DatabaseAuthenticator
from argosy.identity.passwords import Passwords
from argosy.identity.tokens import AccessTokens
from argosy.jobs import router as jobs
from argosy.jobs.worker import Worker
from argosy.kit.crypto import KeyRing, load_or_create_secret
from argosy.kit.db.session import Database
from argosy.kit.logs import configure_logs, get_logger
from argosy.kit.web import idempotency, problems
from argosy.kit.web.middleware import BodyLimitMiddleware, RequestContextMiddleware
from argosy.kit.web.openapi import operation_id
from argosy.organizations import router as organizations
from argosy.registry import router as models
from argosy.registry import version_router as versions
from argosy.registry.aliases import ALIAS_MOVED
from argosy.registry.maintenance import collect_orphans
from argosy.registry.sandbox import Sandbox
from argosy.registry.tasks import Registrar
from argosy.registry.versions import JOB_KIND
from argosy.serving.protocols import typed
from argosy.serving.service import ServingService
from argosy.settings import Settings
from argosy.system import docs, health
from argosy.usage import router as usage
from argosy.usage.journal import Journal
from argosy.usage.service import Meter

UPLOADS = (re.compile(r"/api/v1/models/[^/]+/[^/]+/versions"),)
DISPATCH_POLL = 1.0
MAINTENANCE_INTERVAL = 300.0
DESCRIPTION = "From a trained model to a typed, validated, versioned, secured and metered API."
log = get_logger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the ASGI application."""
    settings = settings or Settings()
    configure_logs(settings.log)
    app = FastAPI(
        title="Argosy",
        version=__version__,
        description=DESCRIPTION,
        lifespan=_lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_id,
        redirect_slashes=False,
    )
    _wire(app, settings)
    app.include_router(health.router)
    app.include_router(_api())
    app.include_router(docs.router)
    docs.mount_assets(app)
    problems.install(app)
    limits = settings.limits
    app.add_middleware(BodyLimitMiddleware, limits.body_bytes, limits.upload_bytes, UPLOADS)
    app.add_middleware(RequestContextMiddleware)
    return app


def _api() -> APIRouter:
    api = APIRouter(prefix="/api/v1")
    for router in (
        identity.auth,
        identity.users,
        organizations.router,
        identity.keys,
        models.router,
        versions.router,
        typed.router,
        jobs.router,
        usage.router,
    ):
        api.include_router(router)
    return api


def _wire(app: FastAPI, settings: Settings) -> None:
    state, security = app.state, settings.security
    data = settings.data.dir
    given = security.secret_key
    secret = given.get_secret_value().encode() if given else load_or_create_secret(data / "secrets" / "secret_key")
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    state.settings = settings
    state.keys = KeyRing(secret)
    state.database = Database(settings.database_url, settings.database)
    state.store = LocalArtifactStore(settings.storage_dir)
    state.passwords = Passwords(security)
    state.tokens = AccessTokens(state.keys.key("access-token"), timedelta(minutes=security.access_token_minutes))
    state.authenticator = DatabaseAuthenticator(state.database, state.tokens)
    state.meter = Meter(state.database, Journal(data / "usage"), settings.usage.flush)
    state.serving = ServingService(state.database, state.store, state.meter, settings.serving)
    registrar = Registrar(state.database, state.store, Sandbox(settings.conversion), (data / "scratch").absolute())
    state.worker = Worker(state.database, {JOB_KIND: registrar.handler}, settings.jobs)
    consumers = (Consumer("serving.warm", ALIAS_MOVED, state.serving.warm),)
    state.dispatcher = Dispatcher(state.database, consumers, poll=DISPATCH_POLL)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state = app.state
    async with AsyncExitStack() as stack:
        stack.push_async_callback(state.database.dispose)
        if state.settings.database.migrate:
            await migrations.upgrade(state.database)
        await migrations.require_current(state.database)
        stack.callback(state.serving.close)
        for work in (state.meter.run(), state.dispatcher.run(), state.worker.run(), _maintain(app)):
            await stack.enter_async_context(_background(work))
        yield


@asynccontextmanager
async def _background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _maintain(app: FastAPI) -> None:
    while True:
        try:
            removed = await collect_orphans(app.state.database, app.state.store)
            async with app.state.database.write() as session:
                await idempotency.purge(session)
            if removed:
                log.info("orphans_collected", removed=removed)
        except Exception:
            log.exception("maintenance_failed")
        await asyncio.sleep(MAINTENANCE_INTERVAL)
