"""The application: wiring, nothing else."""

import asyncio
import re
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from argosy import __version__, migrations
from argosy.articles import card_router as cards
from argosy.articles import router as articles
from argosy.audit import router as audit
from argosy.audit.denials import Denials
from argosy.audit.service import append as append_audit
from argosy.caching import router as caching
from argosy.caching.cache import ResponseCache
from argosy.deployments import router as deployments
from argosy.deployments.service import CHANGED as DEPLOYMENT_CHANGED
from argosy.engines.crew import Crew
from argosy.engines.mail.base import Mailer
from argosy.engines.mail.files import FileMailer
from argosy.engines.mail.smtp import SmtpMailer
from argosy.engines.rates import SharedRateLimiter
from argosy.engines.signals import SharedSignals
from argosy.engines.storage.local import LocalArtifactStore
from argosy.entitlements import router as entitlements
from argosy.entitlements.expiry import Expiry
from argosy.entitlements.fulfilment import ORDER_PAID, ORDER_REFUNDED, grant_order, revoke_order
from argosy.entitlements.grants import EntitlementGrants
from argosy.entitlements.holdings import Holdings
from argosy.events.dispatcher import EVERY, Consumer, Courier, Dispatcher
from argosy.events.freshness import Freshness
from argosy.explanations import router as explanations
from argosy.explanations.plan import Limits
from argosy.explanations.service import JOB_KIND as EXPLANATION
from argosy.explanations.tasks import Bounds, Explainer
from argosy.identity import admin_router as administration
from argosy.identity import credential_router as credentials
from argosy.identity import federation_router as federation
from argosy.identity import router as identity
from argosy.identity import token_router as tokens
from argosy.identity.activity import Activity
from argosy.identity.authenticator import DatabaseAuthenticator
from argosy.identity.maintenance import forget_old
from argosy.identity.oidc import OidcClient
from argosy.identity.passwords import Passwords, RecentPasswords
from argosy.identity.recovery import CODE_REQUESTED, CodeSender
from argosy.identity.sign_in import SignIn
from argosy.identity.signing import SigningKeys
from argosy.identity.tokens import AccessTokens
from argosy.jobs import router as jobs
from argosy.jobs.maintenance import forget_results
from argosy.jobs.worker import Worker
from argosy.kit.crypto import key_ring
from argosy.kit.db.session import Database
from argosy.kit.figures import collected
from argosy.kit.logs import configure_logs, get_logger
from argosy.kit.outgoing import Outgoing
from argosy.kit.rates import Standing
from argosy.kit.web import idempotency, problems
from argosy.kit.web.entrance import Entrance
from argosy.kit.web.guards import HostMiddleware, Hosts, RateLimitMiddleware
from argosy.kit.web.metrics import Metrics, MetricsMiddleware
from argosy.kit.web.middleware import BodyLimitMiddleware, BodyTimeoutMiddleware, RequestContextMiddleware
from argosy.kit.web.openapi import operation_id
from argosy.mail.service import MAIL_QUEUED, Postman
from argosy.members import router as members
from argosy.members.service import InvitedGuests
from argosy.orders import router as orders
from argosy.organizations import router as organizations
from argosy.payments import router as payments
from argosy.payments.local.provider import NAME as LOCAL_PAYMENTS
from argosy.payments.wiring import consumers as payment_consumers
from argosy.payments.wiring import maintain as maintain_payments
from argosy.payments.wiring import wire as wire_payments
from argosy.predictions import router as predictions
from argosy.predictions.maintenance import forget_expired
from argosy.predictions.recorder import Recorder
from argosy.products import router as products
from argosy.registry import router as models
from argosy.registry import version_router as versions
from argosy.registry.aliases import ALIAS_MOVED
from argosy.registry.maintenance import collect_orphans
from argosy.registry.sandbox import Sandbox
from argosy.registry.tasks import Registrar
from argosy.registry.versions import JOB_KIND
from argosy.serving.embedding import EmbeddingService
from argosy.serving.fast_path import FastPath
from argosy.serving.imaging import ImageDecoder
from argosy.serving.loading import Loader
from argosy.serving.placement import Placement
from argosy.serving.protocols import grpc_port, oip, openai, stream, typed, websocket
from argosy.serving.protocols.fast import FastPathMiddleware
from argosy.serving.routes import Routes
from argosy.serving.service import ServingService
from argosy.serving.shadow import Mirror
from argosy.settings import Settings
from argosy.system import docs, health, metrics
from argosy.usage import router as usage
from argosy.usage.journal import Journal
from argosy.usage.live import MOST_EXPORTS, Places
from argosy.usage.service import Meter

UPLOADS = re.compile(r"/api/v1/models/[^/]+/[^/]+/versions")
QUOTA_HEADERS = ("RateLimit-Policy", "RateLimit")
STREAMS = re.compile(r"/api/v1/models/[^/]+/[^/]+/predict/stream")
# A server that has just started has more urgent things to do.
MAINTENANCE_AFTER = 60.0
MAINTENANCE_INTERVAL = 300.0
ALLOWED_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "X-API-Key", "X-Organization")
DEFAULT_ISSUER = "urn:argosy"
DESCRIPTION = "From a trained model to a typed, validated, versioned, secured and metered API."
log = get_logger(__name__)


def create_app(settings: Settings | None = None, crew: Crew | None = None) -> FastAPI:
    """Return the ASGI application; one of several on this machine, if it has a crew."""
    app = unconfigured()
    configure(app, settings or Settings(), crew)
    return app


class Application(FastAPI):
    """The application, and before it, once that is configured, the fast path."""

    _fast: FastPathMiddleware | None = None

    def begin_with_fast_path(self, body_timeout: float) -> None:
        """Put the fast path before everything else, also what the framework puts before any middleware."""
        self._fast = FastPathMiddleware(super().__call__, self.state.fast, body_timeout)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        await (self._fast or super().__call__)(scope, receive, send)


def unconfigured() -> Application:
    """Return the application with its routes only."""
    app = Application(
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
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(_api())
    app.include_router(oip.public)
    app.include_router(oip.router)
    app.include_router(openai.router)
    app.include_router(websocket.router)
    app.include_router(docs.router)
    docs.mount_assets(app)
    problems.install(app)
    return app


def configure(app: Application, settings: Settings, crew: Crew | None = None) -> None:
    """Give an application everything that depends on the settings."""
    configure_logs(settings.log)
    _wire(app, settings, crew)
    _guard(app, settings)


def _guard(app: Application, settings: Settings) -> None:
    """Put what protects every route before them; the last one added meets a request first."""
    limits, network = settings.limits, settings.network
    app.add_middleware(BodyLimitMiddleware, limits.body_bytes, {UPLOADS: limits.upload_bytes, STREAMS: None})
    app.add_middleware(BodyTimeoutMiddleware, network.body_timeout)
    if network.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=network.origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=ALLOWED_HEADERS,
            expose_headers=["ETag", "Location", "Retry-After", "X-Request-ID", *Standing.HEADERS, *QUOTA_HEADERS],
        )
    app.add_middleware(MetricsMiddleware, app.state.metrics)
    app.add_middleware(RateLimitMiddleware, app.state.rates, settings.rates.anonymous)
    app.add_middleware(HostMiddleware, Hosts(settings))
    app.add_middleware(RequestContextMiddleware)
    # Not uvicorn's own switch: what is believed must not depend on who runs the application.
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=network.proxies)
    app.begin_with_fast_path(network.body_timeout)


def _api() -> APIRouter:
    api = APIRouter(prefix="/api/v1")
    for router in (
        identity.auth,
        tokens.public,
        tokens.guarded,
        federation.router,
        identity.account,
        identity.users,
        administration.router,
        organizations.router,
        members.router,
        members.invitations,
        credentials.router,
        audit.router,
        models.router,
        versions.router,
        predictions.router,
        caching.router,
        deployments.router,
        typed.router,
        stream.router,
        jobs.router,
        explanations.router,
        articles.router,
        cards.router,
        usage.router,
        products.router,
        orders.router,
        orders.sales,
        payments.router,
        payments.webhooks,
        entitlements.router,
    ):
        api.include_router(router)
    return api


def _wire(app: FastAPI, settings: Settings, crew: Crew | None) -> None:
    state, data = app.state, settings.data.dir
    grpc_port.require(settings)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    state.settings = settings
    state.stopping = asyncio.Event()
    state.keys = key_ring(settings.data.dir / "secrets", settings.security)
    state.database = Database(settings.database_url, settings.database)
    state.store = LocalArtifactStore(settings.storage_dir)
    state.crew = crew
    state.rates = crew.rates if crew and not settings.cache.is_shared else SharedRateLimiter(settings.cache.address)
    _wire_identity(app, settings)
    wire_payments(state, settings)
    state.meter = Meter(state.database, Journal(data / "usage"), settings.usage.flush)
    state.usage_streams, state.usage_exports = Places(), Places(MOST_EXPORTS)
    state.metrics = Metrics()
    if crew is not None:
        crew.join(state.database, partial(collected, state.metrics.registry))
    if settings.cache.is_shared:
        state.signals = SharedSignals(settings.cache.address, state.database)
    freshness = Freshness(state.database)
    state.recorder = Recorder(state.database, freshness, state.metrics.registry)
    cache = ResponseCache(state.database, freshness, settings.serving.cache_bytes)
    state.grants = EntitlementGrants(state.database, state.rates, Holdings(data / "quotas"))
    state.serving = ServingService(
        Routes(state.database, state.keys, state.grants),
        lambda compiled, settle: Placement(
            state.store, state.outgoing, Loader(settings.serving, data / "serving"), compiled, settle, settings.serving
        ),
        state.meter,
        state.recorder,
        cache,
        lambda run: Mirror(state.database, run, state.metrics.registry),
    )
    state.embeddings = EmbeddingService(state.serving, state.store, state.meter, settings.serving)
    state.images = ImageDecoder(settings.serving.threads, settings.limits.pixels)
    registrar = Registrar(state.database, state.store, Sandbox(settings.conversion), (data / "scratch").absolute())
    bounds = Bounds(Limits(settings.limits.rows, settings.jobs.explanation_runs), settings.serving.timeout)
    explainer = Explainer(state.database, state.store, state.serving, state.meter, bounds)
    handlers = {JOB_KIND: registrar.handler, EXPLANATION: explainer.handler}
    state.worker = Worker(state.database, handlers, settings.jobs)
    consumers: tuple[Consumer | Courier, ...] = (
        Consumer("audit.append", EVERY, append_audit),
        Consumer("identity.send_code", CODE_REQUESTED, CodeSender(state.keys, settings.security).handle),
        Courier("mail.deliver", MAIL_QUEUED, Postman(_mailer(settings), state.keys).deliver),
        Consumer("entitlements.grant", ORDER_PAID, grant_order),
        Consumer("entitlements.revoke", ORDER_REFUNDED, revoke_order),
        Consumer("serving.warm", ALIAS_MOVED, state.serving.warm),
        Consumer("serving.warm_deployment", DEPLOYMENT_CHANGED, state.serving.warm),
    )
    consumers += payment_consumers(state)
    state.fast = FastPath(freshness, state.serving, state.authenticator, state.rates, state.metrics, settings)
    state.denied = Denials(state.database, state.rates).note
    state.dispatcher = Dispatcher(state.database, consumers)


def _wire_identity(app: FastAPI, settings: Settings) -> None:
    state, security = app.state, settings.security
    lifetime = timedelta(minutes=security.access_token_minutes)
    rotate_after = timedelta(days=security.signing_key_days)
    state.passwords = Passwords(security)
    state.sign_in = SignIn(state.database, state.passwords, RecentPasswords(), state.rates, settings.rates)
    state.signing_keys = SigningKeys(state.database, state.keys, rotate_after=rotate_after, token_lifetime=lifetime)
    issuer = str(settings.public.url).rstrip("/") if settings.public.url else DEFAULT_ISSUER
    state.tokens = AccessTokens(state.signing_keys, issuer=issuer, lifetime=lifetime)
    state.guests = InvitedGuests()
    state.outgoing = Outgoing(settings.network.outgoing)
    state.oidc = {provider.name: OidcClient(provider, state.outgoing) for provider in settings.oidc.providers}
    state.activity = Activity(state.database)
    state.authenticator = DatabaseAuthenticator(state.database, state.tokens, state.sign_in, state.activity, security)
    state.entrance = Entrance(state.authenticator, state.rates, settings.rates)


def _mailer(settings: Settings) -> Mailer:
    url, sender = settings.smtp.url, settings.smtp.sender
    return SmtpMailer(url.get_secret_value(), sender) if url else FileMailer(settings.data.dir / "mail", sender)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state = app.state
    async with AsyncExitStack() as stack:
        stack.push_async_callback(state.database.dispose)
        if state.settings.database.migrate:
            await migrations.upgrade(state.database)
        await migrations.require_current(state.database)
        await state.signing_keys.keep_fresh()
        if await state.database.bypasses_row_security():
            log.warning("row_level_security_bypassed", advice="connect as a role without SUPERUSER and BYPASSRLS")
        if state.settings.payments.provider == LOCAL_PAYMENTS:
            log.warning("payments_move_no_money", advice="to sell for money, set ARGOSY_PAYMENTS_PROVIDER=stripe")
        stack.push_async_callback(state.serving.close)
        stack.callback(state.embeddings.close)
        stack.callback(state.images.close)
        fresh = (state.database.pulse, state.fast.freshness)
        own = (*fresh, state.meter, state.recorder, state.serving.mirror, state.activity, state.grants)
        # What one process of the machine does for all.
        expiry, maintenance = Expiry(state.database).run, partial(_maintain, app)
        shared = (state.dispatcher.run, state.worker.run, expiry, maintenance, *(one.run for one in state.payments))
        if state.settings.cache.is_shared:
            await stack.enter_async_context(_background(state.signals.run()))
        led = [state.crew.lead(shared)] if state.crew else [one() for one in shared]
        for running in (*(one.run() for one in own), *led):
            await stack.enter_async_context(_background(running))
        await stack.enter_async_context(grpc_port.serving(state))
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
    await asyncio.sleep(MAINTENANCE_AFTER)
    while True:
        try:
            removed = await collect_orphans(app.state.database, app.state.store)
            async with app.state.database.write() as session:
                await idempotency.purge(session)
                await forget_old(session)
                await forget_results(session)
                await forget_expired(session)
                await maintain_payments(session)
            await app.state.signing_keys.keep_fresh()
            if removed:
                log.info("orphans_collected", removed=removed)
        except Exception:
            log.exception("maintenance_failed")
        await asyncio.sleep(MAINTENANCE_INTERVAL)
