"""What can go wrong with a prediction."""

from argosy.kit.errors import ArgosyError, Conflict, TimedOut, Unavailable
from argosy.kit.rates import TooManyRequests


class NoLiveVersion(Conflict):
    """The model has no version that serves."""

    type, title = "no-live-version", "No live version"


class ModelRejectedInput(ArgosyError):
    """The input fits the signature, but the model cannot run on it."""

    status, type, title = 422, "model-rejected-input", "The model cannot run on this input"


class PredictionTimedOut(TimedOut):
    """The model took longer than a prediction may."""

    type, title = "prediction-timeout", "The prediction took too long"


class ModelNotLoadable(Unavailable):
    """The model's artifact cannot be loaded."""

    type, title = "model-not-loadable", "The model cannot be loaded"


class ModelCrashed(Unavailable):
    """The process of the model ended while it ran."""

    type, title = "model-crashed", "The model's process ended"


class Overloaded(Unavailable):
    """More requests wait for a model than may."""

    type, title = "overloaded", "The model has too much to do"

    def __init__(self, detail: str = "too many requests wait for this model", *, retry_after: int = 1) -> None:
        super().__init__(detail, retry_after=retry_after)


class QuotaExceeded(TooManyRequests):
    """What was bought for this period is used up."""

    type, title = "quota-exceeded", "The quota is used up"


class BackendUnavailable(Unavailable):
    """The server that runs a model does not answer."""

    type, title = "backend-unavailable", "The model's server does not answer"


class BackendFailed(ArgosyError):
    """The server that runs a model answered something else than outputs."""

    status, type, title = 502, "backend-failed", "The model's server failed"


class NotAnEmbeddingModel(ArgosyError):
    """The model does not make embeddings of texts."""

    status, type, title = 422, "not-an-embedding-model", "The model makes no embeddings"
