"""What can go wrong with payments."""

from argosy.kit.errors import BadRequest, NotFound


class PaymentProviderNotFound(NotFound):
    """Nothing is paid with this provider here."""

    type, title = "payment-provider-not-found", "Payment provider not found"


class WebhookRefused(BadRequest):
    """The message is not one that the payment provider signed a moment ago."""

    type, title = "webhook-refused", "Webhook refused"
