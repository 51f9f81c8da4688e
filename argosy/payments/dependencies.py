"""What the routes of payments are given."""

from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Request

from argosy.kit.web.sessions import Write
from argosy.payments.provider import Notice, Provider
from argosy.payments.service import PaymentService, read_notice
from argosy.settings import Settings


async def service(request: Request, session: Write) -> PaymentService:
    """Return the service of payments."""
    settings: Settings = request.app.state.settings
    return PaymentService(session, timedelta(seconds=settings.payments.poll))


def chosen(request: Request) -> Provider:
    """Return the provider that new payments are made with."""
    found: Provider = request.app.state.payment_providers[request.app.state.settings.payments.provider]
    return found


async def notice(request: Request, provider: str) -> Notice:
    """Return what a webhook tells, before anything is opened for it; raises `WebhookRefused`."""
    return read_notice(request.app.state.payment_providers, provider, request.headers, await request.body())


Told = Annotated[Notice, Depends(notice)]
Paying = Annotated[PaymentService, Depends(service)]
Chosen = Annotated[Provider, Depends(chosen)]
