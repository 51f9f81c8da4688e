"""Images as inputs: decoded, sized and scaled as the signature says, with the answers that the numbers would have."""

import io
import struct
import sys
import zlib
from typing import Any

import httpx2
import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from tests.support.callers import Caller
from tests.support.models import model_of, pushed, settled, upload

SCALE = 1 / 15
DESCRIBED = {"layout": "HWC", "mode": "L", "scale": SCALE}
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def digits() -> tuple[LogisticRegression, NDArray[np.uint8], bytes]:
    """A classifier of digits, digits it has not seen as pixels from 0 to 240, and its graph over [N, 8, 8, 1]."""
    data = load_digits()
    model = LogisticRegression(max_iter=200).fit(data.data[:1200], data.target[:1200])
    nodes = [
        helper.make_node("Flatten", ["pixels"], ["flat"], axis=1),
        helper.make_node(
            "LinearClassifier",
            ["flat"],
            ["label", "probabilities"],
            domain="ai.onnx.ml",
            coefficients=model.coef_.ravel().tolist(),
            intercepts=model.intercept_.tolist(),
            classlabels_ints=model.classes_.tolist(),
            post_transform="SOFTMAX",
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [None, 8, 8, 1])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 10]),
        ],
    )
    return model, (data.images[1200:1240] * 15).astype(np.uint8), model_of(graph)


def averages(dtype: int, shape: list[int | None], layout: str) -> bytes:
    """The mean of each channel of an image, in float32."""
    axes = [1, 2] if layout == "HWC" else [2, 3]
    nodes = [
        helper.make_node("Cast", ["picture"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers", "axes"], ["means"], keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info("picture", dtype, shape)]
    outputs = [helper.make_tensor_value_info("means", TensorProto.FLOAT, [shape[0], None])]
    axes_tensor = helper.make_tensor("axes", TensorProto.INT64, [2], axes)
    return model_of(helper.make_graph(nodes, "averages", inputs, outputs, [axes_tensor]))


def encoded(pixels: Any, kind: str = "PNG", mode: str | None = None, **options: Any) -> bytes:
    picture = Image.fromarray(pixels)
    file = io.BytesIO()
    (picture.convert(mode) if mode else picture).save(file, kind, **options)
    return file.getvalue()


async def send(caller: Caller, name: str, *images: bytes, part: str = "pixels") -> httpx2.Response:
    files = [(part, (f"{place}.png", image, "image/png")) for place, image in enumerate(images)]
    headers = {"Authorization": f"Bearer {caller.key}"}
    return await caller.http.post(f"/api/v1/models/{caller.username}/{name}/predict", files=files, headers=headers)


async def send_one(caller: Caller, name: str, image: bytes, media_type: str = "image/png") -> httpx2.Response:
    headers = {"Authorization": f"Bearer {caller.key}", "Content-Type": media_type}
    return await caller.http.post(f"/api/v1/models/{caller.username}/{name}/predict", content=image, headers=headers)


async def model(caller: Caller, name: str, artifact: bytes, feature: str, described: dict[str, Any] | None) -> None:
    """Push a version, and describe its image."""
    await caller.post("/models", json={"name": name})
    number = (await upload(caller, name, artifact)).json()["version"]
    version = await settled(caller, name, number)
    assert version["status"] == "ready", version["error"]
    if described is not None:
        path = f"/models/{caller.username}/{name}/versions/{number}"
        edited = await caller.patch(path, json={"features": {feature: {"image": described}}})
        assert edited.status_code == 200, edited.text


def predictions(response: httpx2.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()["predictions"]


async def test_pictures_of_digits_are_answered_as_their_numbers(owner: Caller) -> None:
    classifier, pictures, graph = digits()
    await model(owner, "digits", graph, "pixels", DESCRIBED)
    numbers = pictures[..., np.newaxis].astype(np.float32) * np.float32(SCALE)
    rows = [{"pixels": row} for row in numbers.tolist()]
    expected = predictions(await owner.post("/models/owner/digits/predict", json={"rows": rows}))
    flat = pictures.reshape(len(pictures), 64) / 15
    assert [one["label"] for one in expected] == classifier.predict(flat).tolist()
    images = [encoded(picture) for picture in pictures]
    assert predictions(await send(owner, "digits", *images)) == expected
    assert predictions(await send_one(owner, "digits", images[0])) == expected[:1]
    larger = [encoded(picture.repeat(4, 0).repeat(4, 1)) for picture in pictures]
    shown = predictions(await send(owner, "digits", *larger))
    agreeing = sum(one["label"] == other["label"] for one, other in zip(shown, expected, strict=True))
    assert agreeing >= 38, "a picture that is larger is brought to the size"
    colours = [encoded(picture, mode=mode) for picture in pictures[:2] for mode in ("RGB", "RGBA", "LA")]
    assert predictions(await send(owner, "digits", *colours)) == [expected[0]] * 3 + [expected[1]] * 3
    jpeg = encoded(pictures[0].repeat(8, 0).repeat(8, 1), "JPEG", quality=100)
    assert predictions(await send_one(owner, "digits", jpeg, "image/jpeg"))[0]["label"] == expected[0]["label"]
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera lay on its left side
    noted = predictions(await send_one(owner, "digits", encoded(np.rot90(pictures[0]), exif=turned.tobytes())))
    assert noted == expected[:1]
    page = (await owner.http.get("/openapi.json", headers={"Authorization": f"Bearer {owner.key}"})).json()
    taken = page["paths"]["/api/v1/models/owner/digits/predict"]["post"]["requestBody"]["content"]
    assert set(taken) == {"application/json", "multipart/form-data", "image/png", "image/jpeg"}
    assert set(taken["application/json"]) == {"schema", "example"}
    assert taken["multipart/form-data"]["schema"]["required"] == ["pixels"]


@on_sqlite
async def test_layout_channels_size_and_scale_are_the_signatures(owner: Caller) -> None:
    random = np.random.default_rng(1)
    picture = random.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    small = np.asarray(Image.fromarray(picture).resize((6, 4), Image.Resampling.BICUBIC))
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    normal = {"layout": "CHW", "scale": 1 / 255, "mean": mean, "std": std, "resampling": "bicubic"}
    await model(owner, "normal", averages(TensorProto.FLOAT, [None, 3, 4, 6], "CHW"), "picture", normal)
    found = predictions(await send(owner, "normal", encoded(picture), part="picture"))[0]["means"]
    np.testing.assert_allclose(found, ((small / 255 - mean) / std).mean((0, 1)), atol=1e-5)

    plain = {"layout": "HWC", "resampling": "nearest"}
    await model(owner, "bytes", averages(TensorProto.UINT8, [None, 5, 5, 3], "HWC"), "picture", plain)
    found = predictions(await send(owner, "bytes", encoded(picture[:5, :5]), part="picture"))[0]["means"]
    np.testing.assert_allclose(found, picture[:5, :5].mean((0, 1)), atol=1e-4)

    # Sizes left free are the image's own; images of one request have to agree.
    await model(owner, "free", averages(TensorProto.FLOAT, [None, None, None, 3], "HWC"), "picture", plain)
    found = predictions(await send(owner, "free", encoded(picture), encoded(255 - picture), part="picture"))
    np.testing.assert_allclose(found[0]["means"], picture.mean((0, 1)), atol=1e-4)
    unequal = await send(owner, "free", encoded(picture), encoded(picture[:9]), part="picture")
    assert unequal.json()["errors"][0]["loc"] == ["picture", 1]

    # A graph without a batch takes one.
    await model(owner, "single", averages(TensorProto.FLOAT, [1, 3, 4, 6], "CHW"), "picture", {"layout": "CHW"})
    assert predictions(await send(owner, "single", encoded(picture), part="picture"))
    assert (await send(owner, "single", encoded(picture), encoded(picture), part="picture")).status_code == 422


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is huge."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@on_sqlite
async def test_what_is_no_image_for_the_model_is_named(owner: Caller) -> None:
    _, pictures, graph = digits()
    await model(owner, "digits", graph, "pixels", DESCRIBED)
    good = encoded(pictures[0])
    deep = encoded(pictures[0].astype(np.uint16) * 256)
    cases: dict[str, tuple[tuple[bytes, ...], int, str]] = {
        "no image": ((b"nothing",), 422, "image_invalid"),
        "empty": ((b"",), 422, "image_invalid"),
        "cut short": ((good[:-30],), 422, "image_invalid"),
        "a GIF": ((encoded(pictures[0], "GIF"),), 422, "image_invalid"),
        "sixteen bits": ((deep,), 422, "image_depth"),
        "huge": ((bomb(10_000, 10_000),), 413, "too_many_pixels"),
        "very huge": ((bomb(60_000, 60_000),), 413, "too_many_pixels"),
        "huge together": ((encoded(np.zeros((5000, 5000), np.uint8)),) * 3, 413, "too_many_pixels"),
    }
    for what, (images, status, kind) in cases.items():
        answer = await send(owner, "digits", *images)
        assert (answer.status_code, answer.json()["errors"][0]["type"]) == (status, kind), (what, answer.text)
        assert answer.json()["errors"][0]["loc"][0] == "pixels", what
    second = await send(owner, "digits", good, b"nothing")
    assert second.json()["errors"][0]["loc"] == ["pixels", 1]
    assert (await send(owner, "digits", good, part="picture")).json()["errors"][0]["loc"] == ["picture"]
    assert (await send(owner, "digits", *[good] * 257)).status_code == 413
    assert (await send_one(owner, "digits", good, "image/gif")).status_code == 415
    assert (await send_one(owner, "digits", b"--", "multipart/form-data; boundary=b")).status_code in {400, 422}
    await pushed(owner)
    for answer in (await send_one(owner, "sizes", good), await send(owner, "sizes", good)):
        assert answer.status_code == 415
        assert "application/json" in answer.json()["detail"]


@on_sqlite
async def test_an_image_has_to_fit_its_tensor(owner: Caller) -> None:
    await model(owner, "bytes", averages(TensorProto.UINT8, [None, 5, 5, 3], "HWC"), "picture", None)
    untold = await send(owner, "bytes", encoded(np.zeros((5, 5, 3), np.uint8)), part="picture")
    assert untold.status_code == 415, "until an owner says that it is one"
    path = "/models/owner/bytes/versions/1"
    for described in (
        {"layout": "CHW"},
        {"layout": "HWC", "mode": "L"},
        {"layout": "HWC", "scale": 0.5},
        {"layout": "HWC", "mean": [1.0, 2.0]},
        {"layout": "HWC", "std": [1.0, 2.0, 0.0]},
        {"layout": "WHC"},
        {"mode": "RGB"},
    ):
        refused = await owner.patch(path, json={"features": {"picture": {"image": described}}})
        assert refused.status_code == 422, described
    fits = await owner.patch(path, json={"features": {"picture": {"image": {"layout": "HWC", "scale": 1}}}})
    assert fits.json()["signature"]["inputs"][0]["image"]["layout"] == "HWC"
    taken_back = await owner.patch(path, json={"features": {"picture": {"image": None}}})
    assert "image" not in taken_back.json()["signature"]["inputs"][0]


@on_sqlite
async def test_without_the_library_it_says_what_to_install(owner: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    _, pictures, graph = digits()
    await model(owner, "digits", graph, "pixels", DESCRIBED)
    image = encoded(pictures[0])
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "PIL", None)
        refused = await send_one(owner, "digits", image)
    assert refused.status_code == 415
    assert "argosy[images]" in refused.json()["detail"]
