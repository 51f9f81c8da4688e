"""kill -9 between a payment and its confirmation: the confirmation comes nevertheless, once."""

import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.callers import PASSWORD
from tests.support.models import linear_classifier
from tests.support.products import body
from tests.support.servers import ServerProcess


def session(server: ServerProcess, username: str) -> httpx2.Client:
    form = {"grant_type": "password", "username": username, "password": PASSWORD}
    token = httpx2.post(f"{server.url}/api/v1/auth/token", data=form).raise_for_status().json()["access_token"]
    return httpx2.Client(base_url=f"{server.url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=20)


@pytest.mark.parametrize("pause", [0.0, 0.4])
def test_what_was_accepted_is_confirmed_after_a_crash(tmp_path: Path, pause: float) -> None:
    server = ServerProcess(tmp_path / "data", ARGOSY_PAYMENTS_LOCAL_DELAY="0.8", ARGOSY_PAYMENTS_POLL="600")
    server.start()
    try:
        client = server.new_client()
        name = str(client.organization)
        path = tmp_path / "model.onnx"
        path.write_bytes(linear_classifier())
        client.push(path, name="sizes")
        with session(server, name) as http:
            order = placed(http, name)
            asked = http.post(f"/orders/{order}/pay")
            assert (asked.status_code, asked.json()["status"]) == (202, "pending")
        time.sleep(pause)
        server.kill()
        server.start()
        with session(server, name) as http:
            shown = wait_for(http, order)
            payments = http.get(f"/orders/{order}/payments").json()["items"]
        assert shown["status"] in {"paid", "fulfilled"}
        assert [payment["status"] for payment in payments] == ["succeeded"]
        mails = list((server.data_dir / "mail").glob("*.eml"))
        assert len([one for one in mails if "Your order is paid" in one.read_text()]) == 1
    finally:
        server.stop()


def placed(http: httpx2.Client, name: str) -> str:
    card = {"content": "Tells small from large.", "published": True}
    http.put(f"/models/{name}/sizes/card", json=card).raise_for_status()
    product = http.post("/products", json=body("Sizes", f"{name}/sizes")).raise_for_status().json()["id"]
    http.post(f"/products/{product}/publish").raise_for_status()
    order: str = http.post("/orders", json={"items": [{"product_id": product}]}).raise_for_status().json()["id"]
    return order


def wait_for(http: httpx2.Client, order: str) -> dict[str, Any]:
    """Wait until an order is paid, and its buyer was told."""
    shown: dict[str, Any] = {}
    for _ in range(150):
        shown = http.get(f"/orders/{order}").json()
        if shown["status"] != "pending":
            time.sleep(1.5)
            return shown
        time.sleep(0.1)
    raise AssertionError(shown)
