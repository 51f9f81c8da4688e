"""What an event makes doubtful of what was read before it: nothing, one model, or anything."""

import zlib

CHANGED = "events.changed"
MODEL_CHANGED = "events.model_changed"
# Models share a signal by a hash of their name: what is looked up once too often does no harm, and memory is bounded.
MODEL_SIGNALS = 4096
# What changes only how one model answers, or who may see it. The subject of its events begins with `org/name`.
OF_ONE_MODEL = frozenset(
    {
        "alias.moved",
        "deployment.changed",
        "model.deleted",
        "model.payload_logging_changed",
        "model.response_caching_changed",
        "model.updated",
        "version.failed",
        "version.ready",
        "version.updated",
    }
)
# What changes nothing that was ever read: who may do what, and what answers. Every kind that is in neither list does.
HARMLESS = frozenset(
    {
        "account.code_requested",
        "admin.user_read",
        "admin.users_listed",
        "api_key.created",
        "article.created",
        "article.deleted",
        "article.published",
        "article.restored",
        "article.unpublished",
        "article.updated",
        "authorization.denied",
        "authorization.granted",
        "client.created",
        "client.token_issued",
        "job.cancelled",
        "job.failed",
        "job.succeeded",
        "mail.queued",
        "member.invited",
        "model.created",
        "order.cancelled",
        "order.failed",
        "order.placed",
        "order.unfulfillable",
        "payment.cancelling",
        "payment.failed",
        "payment.mismatched",
        "payment.processing",
        "payment.refunded",
        "payment.refunding",
        "payment.requested",
        "payment.succeeded",
        "product.archived",
        "product.created",
        "product.deleted",
        "product.priced",
        "product.published",
        "product.updated",
        "sign_in.failed",
        "sign_in.succeeded",
        "signing_key.created",
        "user.registered",
        "version.created",
    }
)


def signals_of(kind: str, subject: str) -> tuple[str, ...]:
    """Return the signals of an event, given by who records it and by who finds it."""
    if kind in HARMLESS:
        return ()
    if kind in OF_ONE_MODEL:
        organization, name, *_ = subject.partition("@")[0].split("/")
        return MODEL_CHANGED, model_signal(f"{organization}/{name}")
    return (CHANGED,)


def model_signal(full_name: str) -> str:
    """Return the signal that tells of changes of a model, called `org/name`."""
    return f"{MODEL_CHANGED}.{zlib.crc32(full_name.encode()) % MODEL_SIGNALS}"
