"""Paying with Stripe, or with what answers as it does: declines, trouble, lost answers, webhooks and refunds."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from argosy.payments.signatures import sign
from argosy.payments.stripe import HEADER
from argosy.settings import NetworkSettings, PaymentsSettings, Settings
from tests.support.callers import Caller
from tests.support.payments import becomes, paid, payment_becomes, placed
from tests.support.settings import make_settings
from tests.support.stripe import KEY, WEBHOOK_SECRET, Account, stripe

VISA = "pm_card_visa"
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def account() -> Iterator[Account]:
    with stripe() as running:
        yield running


@pytest.fixture
def settings(database_url: str, tmp_path: Path, account: Account) -> Settings:
    values = {
        "provider": "stripe",
        "stripe_key": KEY,
        "stripe_webhook_secrets": ["whsec_former", WEBHOOK_SECRET],
        "stripe_url": account.url,
        "poll": 0.2,
    }
    network = NetworkSettings(hosts=["argosy.test"], outgoing=["127.0.0.1"])
    payments = PaymentsSettings.model_validate(values)
    return make_settings(tmp_path / "data", database_url, payments=payments, network=network)


async def tell(http: httpx2.AsyncClient, event_id: str, kind: str, about: dict[str, Any]) -> httpx2.Response:
    body = json.dumps({"id": event_id, "object": "event", "type": kind, "data": {"object": about}}).encode()
    headers = {HEADER: sign(WEBHOOK_SECRET.encode(), body, int(time.time()))}
    return await http.post("/api/v1/payments/webhooks/stripe", content=body, headers=headers)


async def test_an_order_is_charged_with_keys_from_its_payment(account: Account, vendor: Caller, buyer: Caller) -> None:
    order = await placed(vendor, buyer)
    await paid(buyer, order, VISA)
    (intent,) = account.intents.values()
    payment = await payment_becomes(buyer, order, "succeeded")
    assert (intent["amount"], intent["currency"], intent["id"]) == (1999, "eur", payment["reference"])
    assert intent["metadata"] == {"payment_id": payment["id"], "order_id": order["id"]}
    keys = [key for method, _, key in account.calls if method == "POST"]
    assert keys == [f"{payment['id']}-create", f"{payment['id']}-confirm-1"]


async def test_a_method_has_to_be_one_of_stripes(buyer: Caller, vendor: Caller) -> None:
    order = await placed(vendor, buyer)
    for body in (None, {"payment_method": "approved"}, {"payment_method": "pm_1/../x"}):
        refused = await buyer.post(f"/orders/{order['id']}/pay", json=body)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["loc"] == ["body", "payment_method"]


async def test_a_decline_tells_its_reason(account: Account, vendor: Caller, buyer: Caller) -> None:
    order = await placed(vendor, buyer)
    await buyer.post(f"/orders/{order['id']}/pay", json={"payment_method": "pm_card_chargeDeclinedInsufficientFunds"})
    failed = await payment_becomes(buyer, order, "failed")
    assert failed["failure"] == {"code": "insufficient_funds", "message": "Your card has insufficient funds."}
    await paid(buyer, order, VISA)
    assert account.charged == 1


@pytest.mark.parametrize(
    "trouble",
    [
        [(429, {"Retry-After": "1"})],
        [(500, {}), (503, {})],
        [(0, {})],  # the answer to the creation is lost
        [(200, {})],  # an answer that is no intent
    ],
)
async def test_trouble_is_tried_again_and_charges_once(
    account: Account, vendor: Caller, buyer: Caller, trouble: list[tuple[int, dict[str, str]]]
) -> None:
    order = await placed(vendor, buyer)
    account.trouble = trouble
    await paid(buyer, order, VISA)
    assert (len(account.intents), account.charged) == (1, 1)


async def test_a_confirmation_whose_answer_is_lost_is_looked_up(
    account: Account, vendor: Caller, buyer: Caller
) -> None:
    order = await placed(vendor, buyer)
    original = account.answer

    def losing(method: str, path: str, form: dict[str, str], key: str | None) -> tuple[int, dict[str, Any]]:
        found = original(method, path, form, key)
        return (500, {"error": {"type": "api_error"}}) if path.endswith("/confirm") else found

    account.answer = losing  # type: ignore[method-assign]
    await paid(buyer, order, VISA)
    assert account.charged == 1
    assert [path.rsplit("/", 1)[-1] for method, path, _ in account.calls].count("confirm") == 1


async def test_what_its_payer_has_to_do_is_told_and_a_webhook_confirms_it(
    account: Account, http: httpx2.AsyncClient, vendor: Caller, buyer: Caller
) -> None:
    order = await placed(vendor, buyer)
    await buyer.post(f"/orders/{order['id']}/pay", json={"payment_method": "pm_card_threeDSecure2Required"})
    waiting = await payment_becomes(buyer, order, "processing")
    assert waiting["action_url"] == "https://hooks.stripe.example/3d"
    (intent,) = account.intents.values()
    unsigned = await http.post("/api/v1/payments/webhooks/stripe", content=b"{}")
    assert unsigned.status_code == 400
    done = {**intent, "status": "succeeded", "next_action": None}
    assert (await tell(http, "evt_1", "payment_intent.succeeded", done)).json()["repeated"] is False
    await becomes(buyer, order, {"fulfilled"})
    assert (await tell(http, "evt_1", "payment_intent.succeeded", done)).json()["repeated"] is True
    other = await tell(http, "evt_2", "customer.created", {"id": "cus_1", "object": "customer"})
    assert other.status_code == 200


async def test_a_refund_is_pending_until_a_webhook_tells(
    app: FastAPI, account: Account, http: httpx2.AsyncClient, vendor: Caller, buyer: Caller
) -> None:
    order = await placed(vendor, buyer)
    await paid(buyer, order, VISA)
    assert (await buyer.post(f"/orders/{order['id']}/refund")).status_code == 202
    await becomes(buyer, order, {"fulfilled"})
    while not account.refunds:
        await payment_becomes(buyer, order, "refunding")
    (refund,) = account.refunds.values()
    await tell(http, "evt_3", "refund.updated", {**refund, "status": "succeeded"})
    await becomes(buyer, order, {"refunded"})
    assert len(account.refunds) == 1
    assert app.state.settings.payments.stripe_key.get_secret_value() not in repr(app.state.settings)
