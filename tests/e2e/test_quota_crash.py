"""kill -9 while a quota is spent: what the process held goes back, once, and no call more is answered than bought."""

import threading
import time
from pathlib import Path

import httpx2
import pytest

from argosy.client import Argosy
from argosy.entitlements import holdings
from argosy.entitlements.ledger import PART
from tests.client.accounts import new_account
from tests.client.trade import BUYING, SELLING, served
from tests.support.servers import ServerProcess

CALLERS = 3
CALLS = 1500
BODY = {"rows": [{"width": 0.1, "height": 0.2}]}


def answered(server: ServerProcess, model: str, key: str, seconds: float | None) -> int:
    """Call until the quota ends, or kill the server a time after it answers; return how many calls were answered."""
    answers: list[int] = []

    def call() -> None:
        status = 200
        with httpx2.Client(headers={"Authorization": f"Bearer {key}"}, timeout=20) as http:
            while status == 200:
                try:
                    status = http.post(f"{server.url}/api/v1/models/{model}/predict", json=BODY).status_code
                except httpx2.TransportError:
                    break
                answers.append(status)

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    if seconds is not None:
        while len(answers) < CALLERS:  # the test's own time limit ends this
            time.sleep(0.01)
        time.sleep(seconds)
        server.kill()
    for caller in callers:
        caller.join()
    assert set(answers) <= {200, 429}
    return answers.count(200)


def used(client: Argosy, expected: int) -> int:
    """What is used of the only entitlement, once it is as expected or the time for that is over."""
    deadline = time.monotonic() + 10
    while True:
        (one,) = client.entitlements()
        current = client.entitlement(one.id).current
        assert current is not None
        if current.calls.used == expected or time.monotonic() > deadline:
            return current.calls.used
        time.sleep(0.1)


@pytest.mark.skipif(not holdings.BOOT_ID.exists(), reason="the machine does not tell its starts apart")
def test_what_a_killed_process_held_goes_back(own_server: ServerProcess, tmp_path: Path) -> None:
    with new_account(own_server, *SELLING) as vendor, new_account(own_server, *BUYING) as buyer:
        model = served(vendor, tmp_path)
        made = vendor.create_product(
            "Sizes", [model], price=1999, currency="EUR", plan={"period": "year", "calls": CALLS}
        )
        vendor.grant_entitlement(buyer.slug, vendor.publish_product(made.id).id)
        key = str(buyer._api_key)
    for _ in range(3):
        with Argosy(own_server.url, api_key=key) as customer:
            customer.predict(model, BODY["rows"])
        own_server.kill()
        own_server.start()
    with Argosy(own_server.url, api_key=key) as customer:
        assert used(customer, 3) == 3
    total = 3
    for seconds in (0.05, 0.3):
        total += answered(own_server, model, key, seconds)
        own_server.start()
    assert 3 < total < CALLS
    with Argosy(own_server.url, api_key=key) as customer:
        # Calls on their way, and a lease where the process was killed before it heard of it, stay taken.
        lost = used(customer, total) - total
        assert 0 <= lost <= 2 * (CALLERS + CALLS // PART)
        total += answered(own_server, model, key, None)
        assert total + lost == used(customer, CALLS) == CALLS
    assert own_server.stop() == 0
    assert list((own_server.data_dir / "quotas").iterdir()) == []
