"""Imports every module with tables, so that the metadata is whole."""

from argosy.articles import models as articles
from argosy.audit import models as audit
from argosy.caching import models as caching
from argosy.deployments import models as deployments
from argosy.entitlements import models as entitlements
from argosy.events import models as events
from argosy.identity import models as identity
from argosy.jobs import models as jobs
from argosy.kit.web import idempotency
from argosy.members import models as members
from argosy.orders import models as orders
from argosy.organizations import models as organizations
from argosy.payments import models as payments
from argosy.payments.local import models as local_payments
from argosy.predictions import models as predictions
from argosy.products import models as products
from argosy.registry import models as registry
from argosy.usage import models as usage
from argosy.usage import sums as usage_sums

__all__ = [
    "articles",
    "audit",
    "caching",
    "deployments",
    "entitlements",
    "events",
    "idempotency",
    "identity",
    "jobs",
    "local_payments",
    "members",
    "orders",
    "organizations",
    "payments",
    "predictions",
    "products",
    "registry",
    "usage",
    "usage_sums",
]
