"""What the application has of payments."""

from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

from starlette.datastructures import State

from argosy.events.dispatcher import Consumer
from argosy.kit.db.session import WriteSession
from argosy.payments.confirmation import Confirmation
from argosy.payments.expiry import Expiry
from argosy.payments.local.bank import LocalBank, own_certificate
from argosy.payments.local.provider import LocalProvider, forget_webhooks
from argosy.payments.provider import Provider
from argosy.payments.service import forget_notices
from argosy.payments.settlement import Reversal
from argosy.payments.stripe import NAME as STRIPE
from argosy.payments.stripe import StripeProvider
from argosy.payments.worker import PaymentWorker
from argosy.settings import Settings

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what to connect to, not to listen on


class OwnAddress:
    """Where this server reaches itself: known for certain once it listens."""

    def __init__(self, settings: Settings) -> None:
        given, network = settings.payments.local_address, settings.network
        scheme = "https" if network.tls_certificate else "http"
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self._given = str(given).rstrip("/") if given else None
        self._listening = f"{scheme}://{host}:{settings.port}"

    def found(self, url: str) -> None:
        """Note where the server listens."""
        self._listening = url

    def __call__(self) -> str:
        """Return the URL that the server answers at."""
        parts = urlsplit(self._listening)
        host = ANYWHERE.get(parts.hostname or "", parts.hostname or "")
        netloc = f"[{host}]:{parts.port}" if ":" in host else f"{host}:{parts.port}"
        return self._given or urlunsplit((parts.scheme, netloc, "", "", ""))


def wire(state: State, settings: Settings) -> None:
    """Make the providers, and who works for them."""
    state.address = OwnAddress(settings)
    local = LocalProvider(state.database, state.keys, settings.payments)
    providers: dict[str, Provider] = {local.name: local}
    chosen, public = settings.payments, settings.public.url
    if chosen.stripe_key is not None:
        providers[STRIPE] = StripeProvider(
            state.outgoing,
            url=str(chosen.stripe_url),
            key=chosen.stripe_key,
            webhook_secrets=chosen.stripe_webhook_secrets,
            tolerance=chosen.tolerance,
            return_url=str(public) if public else None,
        )
    state.payment_providers = providers
    state.payments = (
        PaymentWorker(state.database, providers, settings.payments),
        LocalBank(state.database, state.keys, state.address, own_certificate(settings.network)),
        Expiry(state.database, timedelta(hours=settings.payments.order_hours)),
    )


def consumers(state: State) -> tuple[Consumer, ...]:
    """Return who acts on events."""
    reversal = Reversal(timedelta(seconds=state.settings.payments.poll))
    return (
        Consumer("payments.withdraw", "order.cancelled", reversal.withdraw),
        Consumer("payments.give_back", "order.unfulfillable", reversal.give_back),
        Consumer("payments.confirm", "order.paid", Confirmation(state.keys).handle),
    )


async def maintain(session: WriteSession) -> None:
    """Forget what is no longer needed."""
    await forget_notices(session)
    await forget_webhooks(session)
