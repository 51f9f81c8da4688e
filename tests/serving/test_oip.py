"""The Open Inference Protocol over REST: metadata, readiness, inference in JSON and in binary, and what is refused."""

import asyncio
import json
import struct
from typing import Any

import httpx2
import numpy as np
import pytest

from argosy.serving.protocols.oip_tensors import DATATYPES, DTYPES, from_bytes, to_bytes
from tests.support.callers import Caller
from tests.support.models import pushed, settled, sums, upload

ROWS = [[3.0, 4.0], [0.1, 0.2]]
LENGTH = "Inference-Header-Content-Length"
X: dict[str, Any] = {"name": "X", "shape": [2, 2], "datatype": "FP32", "data": ROWS}


async def infer(caller: Caller, body: Any, path: str = "sizes/infer", **headers: str) -> httpx2.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await caller.http.post(
        f"/v2/models/{path}", content=content, headers={"Authorization": f"Bearer {caller.key}", **headers}
    )


async def look(caller: Caller, path: str) -> httpx2.Response:
    return await caller.http.get(f"/v2{path}", headers={"Authorization": f"Bearer {caller.key}"})


async def test_the_server_and_its_models_are_described(owner: Caller, client: httpx2.AsyncClient) -> None:
    assert (await client.get("/v2")).json()["extensions"] == ["binary_tensor_data"]
    assert (await client.get("/v2/health/live")).json()["live"] is True
    assert (await client.get("/v2/health/ready")).json()["ready"] is True
    await pushed(owner)
    for path in ("sizes", "owner/sizes", "sizes/versions/1", "owner/sizes/versions/1", "sizes/versions/live"):
        described = (await look(owner, f"/models/{path}")).json()
        assert described["name"] == ("owner/sizes" if path.startswith("owner") else "sizes")
        assert described["versions"] == ["1"]
        assert described["inputs"] == [{"name": "X", "datatype": "FP32", "shape": [-1, 2]}]
        assert {one["name"]: one["datatype"] for one in described["outputs"]} == {
            "label": "BYTES",
            "probabilities": "FP32",
        }
        ready = await look(owner, f"/models/{path}/ready")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
    for path in ("sizes/versions/2", "sizes/versions/2/ready", "none", "none/ready", "other/sizes"):
        missing = await look(owner, f"/models/{path}")
        assert missing.status_code == 404
        assert missing.json()["error"] == missing.json()["detail"], "what the protocol's clients read"


async def test_json_answers_what_the_typed_route_answers(owner: Caller) -> None:
    await pushed(owner)
    typed = (await owner.post("/models/owner/sizes/predict", json={"data": ROWS})).json()["predictions"]
    flat = {**X, "data": [3.0, 4.0, 0.1, 0.2]}
    answer: dict[str, Any] = {}
    for path in ("sizes/infer", "owner/sizes/infer", "sizes/versions/1/infer", "owner/sizes/versions/live/infer"):
        for tensor in (X, flat):
            answer = (await infer(owner, {"id": "mine", "inputs": [tensor]}, path)).json()
            assert (answer["id"], answer["model_version"]) == ("mine", "1")
            outputs = {one["name"]: one for one in answer["outputs"]}
            assert outputs["label"]["data"] == [one["label"] for one in typed]
            assert outputs["probabilities"]["shape"] == [2, 2]
            expected = [value for one in typed for value in one["probabilities"].values()]
            assert outputs["probabilities"]["data"] == expected
    repeated = await infer(owner, {"model_name": "sizes", "inputs": [X]})
    assert repeated.status_code == 200, "KServe's client repeats the name"
    one = (await infer(owner, {"inputs": [X], "outputs": [{"name": "label"}]})).json()
    assert [output["name"] for output in one["outputs"]] == ["label"]
    by_feature = [
        {"name": "width", "shape": [2], "datatype": "FP32", "data": [3.0, 0.1]},
        {"name": "height", "shape": [2, 1], "datatype": "FP64", "data": [[4.0], [0.2]]},
    ]
    assert (await infer(owner, {"inputs": by_feature})).json()["outputs"] == answer["outputs"]


async def test_binary_both_ways_is_the_same_to_the_bit(owner: Caller) -> None:
    await pushed(owner)
    plain = {one["name"]: one for one in (await infer(owner, {"inputs": [X]})).json()["outputs"]}
    raw = np.array(ROWS, "<f4").tobytes()
    tensor = {"name": "X", "shape": [2, 2], "datatype": "FP32", "parameters": {"binary_data_size": len(raw)}}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    answer = await infer(owner, head + raw, **{LENGTH: str(len(head))})
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers[LENGTH])
    described, rest = json.loads(answer.content[:length]), answer.content[length:]
    found: dict[str, Any] = {}
    for output in described["outputs"]:
        size = output["parameters"]["binary_data_size"]
        found[output["name"]] = from_bytes(rest[:size], output["datatype"], output["shape"], []).reshape(-1).tolist()
        rest = rest[size:]
    assert rest == b""
    assert found == {name: one["data"] for name, one in plain.items()}
    mixed = {
        "inputs": [tensor],
        "outputs": [{"name": "label", "parameters": {"binary_data": True}}, {"name": "probabilities"}],
    }
    head = json.dumps(mixed).encode()
    answer = await infer(owner, head + raw, **{LENGTH: str(len(head))})
    described = json.loads(answer.content[: int(answer.headers[LENGTH])])
    assert [("data" in one) for one in described["outputs"]] == [False, True]


async def test_text_and_doubles_travel_too(owner: Caller) -> None:
    await owner.post("/models", json={"name": "sums"})
    sample = {"inputs": {"a": [1.0, 2.0], "b": [0.5, 0.5]}, "outputs": {"total": [1.5, 2.5]}}
    await upload(owner, "sums", sums(), sample)
    ready = await settled(owner, "sums")
    assert ready["status"] == "ready", ready["error"]
    inputs = [
        {"name": name, "shape": [2, 1], "datatype": "FP64", "data": data}
        for name, data in (("a", [1e300, 2]), ("b", [1, 3]))
    ]
    (output,) = (await infer(owner, {"inputs": inputs}, "sums/infer")).json()["outputs"]
    assert (output["datatype"], output["data"]) == ("FP64", [1e300, 5.0])


@pytest.mark.parametrize("datatype", DATATYPES.values())
def test_every_datatype_survives_the_way_there_and_back(datatype: str) -> None:
    random = np.random.default_rng(1)
    dtype = DTYPES[datatype]
    if datatype == "BYTES":
        array = np.array([["", "ä€"], ["x" * 300, "\n"]], dtype=object)
    elif datatype == "BOOL":
        array = np.array([[True, False], [False, True]])
    elif dtype.kind == "f":
        array = random.normal(size=(2, 2)).astype(dtype)
    else:
        limits = np.iinfo(datatype.lower())
        array = np.array([[limits.min, limits.max], [0, 1]], dtype=dtype)
    again = from_bytes(to_bytes(array, datatype), datatype, [2, 2], [])
    assert again.dtype == array.dtype
    assert again.tolist() == array.tolist()


def binary(size: Any, raw: bytes, **changes: Any) -> tuple[bytes, str]:
    tensor = {"name": "X", "shape": [2, 2], "datatype": "FP32", "parameters": {"binary_data_size": size}, **changes}
    head = json.dumps({"inputs": [tensor]}).encode()
    return head + raw, str(len(head))


REFUSED: dict[str, tuple[Any, int]] = {
    "not JSON": (b"{", 400),
    "no object": ([], 422),
    "no inputs": ({}, 422),
    "empty inputs": ({"inputs": []}, 422),
    "an input no object": ({"inputs": [1]}, 422),
    "no name": ({"inputs": [{**X, "name": None}]}, 422),
    "an unknown name": ({"inputs": [{**X, "name": "Y"}]}, 422),
    "a name twice": ({"inputs": [X, X]}, 422),
    "an unknown datatype": ({"inputs": [{**X, "datatype": "FP128"}]}, 422),
    "a datatype that does not fit": ({"inputs": [{**X, "datatype": "BYTES", "data": ["a"] * 4}]}, 422),
    "a shape no list": ({"inputs": [{**X, "shape": 4}]}, 422),
    "a negative size": ({"inputs": [{**X, "shape": [-1, 2]}]}, 422),
    "a huge shape": ({"inputs": [{**X, "shape": [2**39, 2**39]}]}, 422),
    "a huge shape of nothing": ({"inputs": [{**X, "shape": [2**39, 2**39], "data": []}]}, 422),
    "a huge shape with nothing in it": ({"inputs": [{**X, "shape": [2**39, 2**39, 0], "data": []}]}, 422),
    "a boolean size": ({"inputs": [{**X, "shape": [True, 2]}]}, 422),
    "too few elements": ({"inputs": [{**X, "data": [1, 2, 3]}]}, 422),
    "too many dimensions": ({"inputs": [{**X, "shape": [1] * 40}]}, 422),
    "another width": ({"inputs": [{**X, "shape": [4, 1]}]}, 422),
    "no rows": ({"inputs": [{**X, "shape": [0, 2], "data": []}]}, 422),
    "text for numbers": ({"inputs": [{**X, "data": ["1", 2, 3, 4]}]}, 422),
    "booleans for numbers": ({"inputs": [{**X, "data": [True, 2, 3, 4]}]}, 422),
    "null for numbers": ({"inputs": [{**X, "data": [None, 2, 3, 4]}]}, 422),
    "NaN": (b'{"inputs":[{"name":"X","shape":[1,2],"datatype":"FP32","data":[NaN,1]}]}', 422),
    "infinity": (b'{"inputs":[{"name":"X","shape":[1,2],"datatype":"FP32","data":[Infinity,1]}]}', 422),
    "too large": ({"inputs": [{**X, "data": [1e300, 2, 3, 4]}]}, 422),
    "no data": ({"inputs": [{key: value for key, value in X.items() if key != "data"}]}, 422),
    "parameters no object": ({"inputs": [{**X, "parameters": 1}]}, 422),
    "an unknown output": ({"inputs": [X], "outputs": [{"name": "nothing"}]}, 422),
    "outputs no list": ({"inputs": [X], "outputs": {"name": "label"}}, 422),
    "an unknown member": ({"inputs": [X], "instances": []}, 422),
    "an unknown member of a tensor": ({"inputs": [{**X, "dtype": "FP32"}]}, 422),
    "an output no object": ({"inputs": [X], "outputs": ["label"]}, 422),
    "an id no text": ({"id": 1, "inputs": [X]}, 422),
    "too many rows": ({"inputs": [{**X, "shape": [10_001, 2], "data": [0.5] * 20_002}]}, 413),
    "binary too short": (binary(8, b"\0" * 8), 422),
    "binary missing": (binary(16, b""), 422),
    "binary left over": (binary(16, b"\0" * 20), 422),
    "binary size no number": (binary("16", b"\0" * 16), 422),
    "binary and JSON": (binary(16, b"\0" * 16, data=[1, 2, 3, 4]), 422),
    "binary NaN": (binary(16, struct.pack("<4f", float("nan"), 1, 2, 3)), 422),
    "binary text that ends early": (binary(8, struct.pack("<I4s", 100, b"abcd"), datatype="BYTES"), 422),
    "a length beyond the body": ((b"{}", "3"), 400),
    "a length no number": ((b"{}", "-1"), 400),
}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_is_refused_is_named(owner: Caller) -> None:
    await pushed(owner)
    for what, (body, status) in REFUSED.items():
        content, headers = (body[0], {LENGTH: body[1]}) if isinstance(body, tuple) else (body, {})
        answer = await infer(owner, content, **headers)
        assert answer.status_code == status, (what, answer.text)
        shown = answer.json()
        assert shown["errors"], what
        assert shown["error"] == shown["detail"], what


async def test_calls_are_metered_and_strangers_see_nothing(owner: Caller, stranger: Caller) -> None:
    await pushed(owner)
    assert (await infer(stranger, {"inputs": [X]}, "owner/sizes/infer")).status_code == 404
    assert (await look(stranger, "/models/owner/sizes")).status_code == 404
    assert (await infer(owner, {"inputs": [X]})).status_code == 200
    assert (await infer(owner, {"inputs": [{**X, "data": []}]})).status_code == 422
    await asyncio.sleep(0.3)
    usage = (await owner.get("/usage")).json()
    assert (usage["calls"], usage["rows"]) == (1, 2)
