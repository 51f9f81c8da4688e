"""The Python SDK.

>>> from argosy.client import Argosy
>>> client = Argosy("http://127.0.0.1:8000", api_key="ak_…")
>>> version = client.push(pipeline, name="iris", sample=X)
>>> client.predict("iris", X.head(3)).labels
['setosa', 'setosa', 'setosa']
"""

from argosy.client.asynchronous import AsyncArgosy
from argosy.client.errors import ArgosyAPIError, ArgosyConnectionError, JobUnsuccessful, PaymentFailed, PushFailed
from argosy.client.flows import PushProgress
from argosy.client.predictions import Prediction
from argosy.client.retries import RetryPolicy
from argosy.client.synchronous import Argosy
from argosy.conversion.errors import ConversionError

__all__ = [
    "Argosy",
    "ArgosyAPIError",
    "ArgosyConnectionError",
    "AsyncArgosy",
    "ConversionError",
    "JobUnsuccessful",
    "PaymentFailed",
    "Prediction",
    "PushFailed",
    "PushProgress",
    "RetryPolicy",
]
