"""What the demonstration sells and buys, and what it holds both parties' figures against."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from argosy.client import Argosy, ArgosyAPIError
from argosy.client.trade import Order, Product, Statement
from argosy.demo.cases import Case
from argosy.demo.steps import USAGE_SECONDS, Note, Outcome, StepFailed, new_key, require

T = TypeVar("T")
QUOTA = 20
ROWS = 5
PRICE, CURRENCY = 1999, "EUR"
BUYING = ["orders:read", "orders:write", "predict"]
ACCESS_SECONDS = 5.0
NOT_FOUND, TOO_MANY = 404, 429
CARD = """# {name}

A `{estimator}` on data that ships with scikit-learn. On rows that it was not trained on: {metrics}.
"""


@dataclass(frozen=True, slots=True)
class Side:
    """One party of the bargain, and the statement of the order that it was shown."""

    organization: str
    role: str
    statement: Statement


@dataclass(frozen=True, slots=True)
class Bargain:
    """A product that was sold, and used until its quota ended; each figure from a real call."""

    product: Product
    order: Order
    seconds: float
    calls: int
    refusal: str
    sides: tuple[Side, Side]


def trade(vendor: Argosy, outcome: Outcome, note: Note) -> Bargain:
    """Sell a model to another account, which uses up what it has bought."""
    note(f"{outcome.case.name}: selling it")
    product = _offer(vendor, outcome)
    username = f"demo-{secrets.token_hex(3)}"
    key = new_key(vendor.url, username, BUYING)
    with Argosy(vendor.url, api_key=key, organization=username) as customer:
        model = product.models[0]
        before = _refusal(customer, model, outcome.case)
        require(before.status == NOT_FOUND, f"without an order the customer was answered with {before.status}")
        order, seconds = _buy(customer, product)
        note(f"{outcome.case.name}: calling it as its customer")
        calls, refused = _use_up(customer, model, outcome.case)
        require(calls == QUOTA, f"of a quota of {QUOTA} calls {calls} were answered")
        sides = _bought(customer, order), _sold(vendor, product)
    for side in sides:
        said = side.statement
        told = (said.order_id, said.status, said.calls, said.rows, said.total.amount)
        expected = (order.id, order.status, QUOTA, QUOTA * ROWS, PRICE)
        require(told == expected, f"the {side.role}'s statement says {told}")
    reason = refused.type.rpartition(":")[2]
    return Bargain(product, order, seconds, calls, f"{refused.status} {reason}: {refused.detail}", sides)


def _offer(vendor: Argosy, outcome: Outcome) -> Product:
    case = outcome.case
    metrics = ", ".join(f"{name} {value:.3f}" for name, value in case.metrics.items())
    vendor.set_card(case.name, CARD.format(name=case.name, estimator=case.estimator, metrics=metrics), published=True)
    plan = {"period": "month", "calls": QUOTA}
    draft = vendor.create_product(f"{case.name} by the call", [case.name], price=PRICE, currency=CURRENCY, plan=plan)
    return vendor.publish_product(draft.id, revision=draft.revision)


def _buy(customer: Argosy, product: Product) -> tuple[Order, float]:
    order = customer.place_order({product.id: 1})
    started = time.monotonic()
    asked = customer.pay_order(order.id)
    require(asked.status == "pending", f"the order was {asked.status} before its payment was confirmed")
    order = customer.wait_for_order(order.id)
    require(order.status == "fulfilled", f"the order that was paid is {order.status}")
    return order, time.monotonic() - started


def _use_up(customer: Argosy, model: str, case: Case) -> tuple[int, ArgosyAPIError]:
    """Call until the quota ends; return how many calls were answered, and the refusal."""
    rows = case.held_out.head(ROWS)
    expected = case.model.predict(rows).tolist()
    deadline = time.monotonic() + ACCESS_SECONDS
    calls = 0
    while calls <= QUOTA:
        try:
            answer = customer.predict(model, rows)
        except ArgosyAPIError as error:
            if error.status == NOT_FOUND and calls == 0 and time.monotonic() < deadline:
                time.sleep(0.1)  # what was bought this very moment is known to every process in a moment
                continue
            require(error.status == TOO_MANY, f"after {calls} calls the answer was {error}")
            return calls, error
        calls += 1
        require(not case.is_classifier or answer.labels == expected, "the customer was answered otherwise")
    raise StepFailed(f"a quota of {QUOTA} calls let {calls} through")


def _refusal(customer: Argosy, model: str, case: Case) -> ArgosyAPIError:
    try:
        customer.predict(model, case.held_out.head(1))
    except ArgosyAPIError as error:
        return error
    raise StepFailed("a private model answered somebody who had not bought it")


def _bought(customer: Argosy, order: Order) -> Side:
    return Side(customer.slug, "customer", _statement(customer, order.id))


def _sold(vendor: Argosy, product: Product) -> Side:
    (sale,) = [one for one in vendor.sales() if one.product_id == product.id]
    return Side(vendor.slug, "vendor", _statement(vendor, sale.order_id))


def _statement(party: Argosy, order_id: UUID) -> Statement:
    """Return what the party is told of the order, once what was called is counted, or for long enough was not."""
    return _settled(lambda: party.order_statement(order_id), lambda seen: seen.calls >= QUOTA)


def _settled(ask: Callable[[], T], holds: Callable[[T], bool]) -> T:
    """Ask until something holds, or for long enough; return the last answer."""
    deadline = time.monotonic() + USAGE_SECONDS
    seen = ask()
    while not holds(seen) and time.monotonic() < deadline:
        time.sleep(0.2)
        seen = ask()
    return seen
