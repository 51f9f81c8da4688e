"""The quick reader takes a part of what the thorough one takes, and makes the same tensors of it, to the bit."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argosy.signature.compiled import CompiledSignature
from argosy.signature.packing import PackedRows
from argosy.signature.parse import strict_json
from argosy.signature.spec import DType, Tensor
from tests.signature.factories import body, compiled, feature, forms

NAMES = ["a", "b:c"]
VECTOR = "v:["
ROWS = [[1.5, -2], [0.1, 1e10]]
FAST = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ODD: st.SearchStrategy[Any] = st.sampled_from([True, None, "1", [], {}, 1e39, 10**400, -0.0, 2**63, 16777217, [1.0]])
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)


@pytest.fixture(autouse=True, scope="module", params=[0, sys.maxsize], ids=["bulk", "typed"])
def least_bytes(request: pytest.FixtureRequest) -> Iterator[None]:
    """All that follows holds of the reader of large bodies, and of the one for small ones and where that is missing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("argosy.signature.quick.LEAST_BYTES", request.param)
        patch.setattr("argosy.signature.packing.MANY_BYTES", request.param)
        yield


def matrix(dtype: DType = DType.FLOAT32, names: list[str] = NAMES, **options: Any) -> CompiledSignature:
    features = [feature(name, dtype.value, tensor="X", index=index, **options) for index, name in enumerate(names)]
    return compiled(*features, tensors=[Tensor(name="X", dtype=dtype, shape=[None, len(names)])])


def vector(dtype: DType = DType.FLOAT32, size: int = 2, **options: Any) -> CompiledSignature:
    one = feature(VECTOR, dtype.value, tensor="X", shape=[size], **options)
    return compiled(one, tensors=[Tensor(name="X", dtype=dtype, shape=[None, size])])


@pytest.mark.parametrize("dtype", [DType.FLOAT32, DType.FLOAT64])
def test_every_form_is_packed_as_numpy_would(dtype: DType) -> None:
    signature = matrix(dtype)
    assert signature.quick is not None
    for rows in (ROWS, ROWS[:1]):
        for form, content in forms(NAMES, rows).items():
            batch = signature.quick.read(content, 10)
            assert batch is not None, form
            assert batch.rows == len(rows)
            array = batch.tensors["X"]
            assert array.dtype == dtype.value
            assert array.tobytes() == np.array(rows, dtype=dtype.value).tobytes()


@pytest.mark.parametrize("dtype", [DType.FLOAT32, DType.FLOAT64])
def test_every_form_of_a_vector_is_packed_as_numpy_would(dtype: DType) -> None:
    quick = vector(dtype).quick
    assert quick is not None
    for rows in (ROWS, ROWS[:1]):
        for form, content in forms([VECTOR], [[row] for row in rows]).items():
            batch = quick.read(content, 10)
            assert batch is not None, form
            assert batch.rows == len(rows)
            assert batch.tensors["X"].shape == (len(rows), 2)
            assert batch.tensors["X"].tobytes() == np.array(rows, dtype=dtype.value).tobytes()


ODD_ROWS = [
    b'{"data": [[1, 2]], "data": [[3, 4]]}',
    b'{"rows": [{"a": 1, "a": 5, "b:c": 2}]}',
    b'{"rows": [{"a": 1, "\\u0061": 5, "b:c": 2}]}',
    b'{"columns": {"a": [1], "b:c": [2], "a": [3]}}',
    b'{"data": [[1, 2]], "rows": [{"a": 1, "b:c": 2}]}',
    b'{"data": [[1, true]]}',
    b'{"data": [[1, null]]}',
    b'{"data": [[1, "2"]]}',
    b'{"data": [[1, 2, 3]]}',
    b'{"data": [[1], [2, 3, 4]]}',
    b'{"data": [[1], [[2]]]}',
    b'{"data": [[1, [2]], [3, 4]]}',
    b'{"data": [[[1], 2]]}',
    b'{"data": [[1, {}]]}',
    b'{"data": [[1, 2], "[x"]}',
    b'{"data": [[1, 2], {"a": [1], "b": 2}]}',
    b'{"data": [[1, 2], 3]}',
    b'{"data": [{"a": 1, "b": 2}]}',
    b'{"data": ["12"]}',
    b'{"data": [[1, 18446744073709551616e300]]}',
    b'{"columns": {"a": [[1]], "b:c": [[2]]}}',
    b'{"columns": {"a": [], "b:c": []}}',
    b'{"columns": [[1, 2]]}',
    b"[[1, 2]]",
    b'{"data": []}',
    b'{"data": [[1, 2], [3, 4], [5, 6]]}',
    b'{"data": [[1, 3.402823466385289e38]]}',  # rounds to the largest, and is larger
    b'{"data": [[1, -3.5e38]]}',
    b'{"data": [[1, 1e400]]}',
    b'{"data": [[1, NaN]]}',
    b'{"data": [[1, 2]]} ,',
    b'{"rows": [{"a": 1}]}',
    b'{"rows": [{"a": 1, "b:c": 2, "d": 3}]}',
    b'{"columns": {"a": [1], "b:c": [2, 3]}}',
    b"{}",
    b"\xff",
]
ODD_VECTORS = [
    b'{"data": [[[1, 2]]], "data": [[[3, 4]]]}',
    b'{"data": [[1, 2]]}',
    b'{"data": [[[1, 2], [3, 4]]]}',
    b'{"data": [[[1, 2]], []]}',
    b'{"data": [[[1]], [[2, 3, 4]]]}',
    b'{"data": [[[1, [2]]]]}',
    b'{"data": [[[[1, 2]]]]}',
    b'{"data": [[[1, null]]]}',
    b'{"data": [[[1, true]]]}',
    b'{"data": [[{"a": 1, "b": 2}]]}',
    b'{"data": [["12"]]}',
    b'{"rows": [{"v:[": [1, 2], "v:[": [3, 4]}]}',
    b'{"rows": [{"v:[": [1, 2], "b": [3, 4]}]}',
    b'{"rows": [{"v:[": [1, 2]}, {}]}',
    b'{"rows": [{"v:[": [1]}, {"v:[": [2, 3, 4]}]}',
    b'{"rows": [{"v:[": [[1], [2]]}]}',
    b'{"rows": [{"v:[": {"a": 1, "b": 2}}]}',
    b'{"rows": []}',
    b'{"columns": {"v:[": [1, 2]}}',
    b'{"columns": {"v:[": [[[1, 2]]]}}',
    b'{"columns": {"v:[": [[1], [2, 3, 4]]}}',
    b'{"columns": {"v:[": [[1, 2]], "v:[": [[3, 4]]}}',
    b'{"columns": {"v:[": []}}',
]


@pytest.mark.parametrize(
    ("signature", "content"),
    [(matrix(), content) for content in ODD_ROWS] + [(vector(), content) for content in ODD_VECTORS],
)
def test_what_is_in_doubt_is_left_to_the_thorough_reader(signature: CompiledSignature, content: bytes) -> None:
    assert signature.quick is not None
    assert signature.quick.read(content, 2) is None


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Bodies that are right or nearly so."""
    width = draw(st.sampled_from([2, 2, 2, 2, 1, 3]))
    rows = draw(st.lists(st.lists(NUMBERS | NUMBERS | ODD, min_size=width, max_size=width), max_size=3))
    names = ["a", "b:c", "d"][:width]
    text = draw(st.sampled_from(list(forms(names, rows).values()))).decode()
    if draw(st.booleans()):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from([*list('{}[]:,"\\ 0e.-tfna\n'), '"a": 1,'])) + text[at:]
    return text.encode()


@st.composite
def vector_bodies(draw: st.DrawFn) -> bytes:
    """Bodies of a vector that are right or nearly so."""
    numbers = st.lists(NUMBERS | NUMBERS | NUMBERS | ODD, min_size=2, max_size=2)
    values = numbers | numbers | numbers | st.lists(NUMBERS, max_size=3) | ODD
    rows = draw(st.lists(st.lists(values, min_size=1, max_size=1), max_size=3))
    text = draw(st.sampled_from(list(forms([VECTOR], rows).values()))).decode()
    if draw(st.booleans()):
        at = draw(st.integers(0, len(text)))
        text = (
            text[:at] + draw(st.sampled_from([*list('{}[]:,"\\ 0e.-tfna\n'), '"v:[": [1, 2],', "[1, 2],"])) + text[at:]
        )
    return text.encode()


def agree(signature: CompiledSignature, content: bytes) -> None:
    assert signature.quick is not None
    batch = signature.quick.read(content, 2)
    if batch is not None:
        thorough = signature.read(strict_json(content), max_rows=2)  # raises for what it does not take
        assert thorough.rows == batch.rows
        assert thorough.tensors["X"].shape == batch.tensors["X"].shape
        assert thorough.tensors["X"].tobytes() == batch.tensors["X"].tobytes()


@given(bodies(), st.sampled_from([DType.FLOAT32, DType.FLOAT64]))
@FAST
def test_the_two_readers_agree(content: bytes, dtype: DType) -> None:
    agree(matrix(dtype), content)


@given(vector_bodies(), st.sampled_from([DType.FLOAT32, DType.FLOAT64]))
@FAST
def test_the_two_readers_agree_on_a_vector(content: bytes, dtype: DType) -> None:
    agree(vector(dtype), content)


def test_signatures_that_ask_for_more_have_no_quick_reader() -> None:
    assert matrix(minimum=0.0).quick is None
    assert matrix(DType.INT64).quick is None
    assert compiled(feature("a"), feature("b")).quick is None
    assert matrix(names=['quoted"', "b"]).quick is None
    assert vector(minimum=0.0).quick is None
    free = feature(VECTOR, tensor="X", shape=[None])
    assert compiled(free, tensors=[Tensor(name="X", dtype=DType.FLOAT32, shape=[None, None])]).quick is None
    image = feature(VECTOR, tensor="X", shape=[2, 2])
    assert compiled(image, tensors=[Tensor(name="X", dtype=DType.FLOAT32, shape=[None, 2, 2])]).quick is None
    assert matrix(nullable=True).quick is not None  # a null is in doubt, and the thorough reader takes it


@pytest.mark.parametrize("signature", [matrix(), vector()], ids=["matrix", "vector"])
def test_a_request_of_the_inference_protocol_in_its_commonest_form(signature: CompiledSignature) -> None:
    quick = signature.quick
    assert quick is not None
    given = {"name": "X", "shape": [2, 2], "datatype": "FP32", "data": [1.5, -2, 0.1, 1e10]}
    found = quick.infer(body({"inputs": [given], "id": "7"}), "FP32", 10)
    assert found is not None
    batch, known_as, _ = found
    assert (known_as, batch.rows) == ("7", 2)
    assert batch.tensors["X"].tobytes() == np.array(ROWS, dtype=np.float32).tobytes()
    wrongs: list[dict[str, Any]] = [
        {"shape": [1, 4]}, {"shape": [4]}, {"shape": [2, 2.0]}, {"name": "Y"}, {"datatype": "FP64"}, {"data": ROWS},
        {"data": [1, 2, 3]}, {"data": []}, {"parameters": {}}, {"data": [1, 2, 3, "4"]}, {"data": [[1], 2, 3, 4]},
        {"shape": [True, 2]}, {"shape": 2}, {"name": None}, {"data": [1, 2, 3, 3.5e38]}, {"data": {"a": 1}},
    ]  # fmt: skip
    for wrong in wrongs:
        assert quick.infer(body({"inputs": [given | wrong]}), "FP32", 10) is None, wrong
    assert quick.infer(body({"inputs": [given]}), "FP32", 1) is None
    assert quick.infer(body({"inputs": [given, given]}), "FP32", 10) is None
    twice = json.dumps({"inputs": [given]}).replace('"name"', '"name": "X", "name"').encode()
    assert quick.infer(twice, "FP32", 10) is None
    for odd in (None, 7, ["7"]):
        assert quick.infer(body({"inputs": [given], "id": odd}), "FP32", 10) is None
    assert quick.infer(body({"inputs": [given], "ids": "7"}), "FP32", 10) is None
    assert quick.infer(body([given]), "FP32", 10) is None


@pytest.mark.parametrize("signature", [matrix(), vector()], ids=["matrix", "vector"])
def test_a_request_whose_input_follows_as_bytes(signature: CompiledSignature) -> None:
    quick = signature.quick
    assert quick is not None
    raw = np.array(ROWS, dtype="<f4").tobytes()
    given = {"name": "X", "shape": [2, 2], "datatype": "FP32", "parameters": {"binary_data_size": len(raw)}}
    wanting = {"inputs": [given], "parameters": {"binary_data_output": True}}
    found = quick.binary(body(wanting), raw, "FP32", 10)
    assert found is not None
    batch, known_as, as_bytes = found
    assert (known_as, as_bytes, batch.rows) == (None, True, 2)
    assert batch.tensors["X"].tobytes() == raw
    plain = quick.binary(body({"inputs": [given], "id": "7"}), raw, "FP32", 10)
    assert plain is not None
    assert plain[1:] == ("7", False)
    for value in (np.nan, np.inf, -np.inf):
        odd = np.array([[1, 2], [value, 3]], dtype="<f4").tobytes()
        assert quick.binary(body(wanting), odd, "FP32", 10) is None
    opposite = np.array([[np.inf, -np.inf]] * 2, dtype="<f4").tobytes()
    assert quick.binary(body(wanting), opposite, "FP32", 10) is None
    assert quick.binary(body(wanting), raw[:-4], "FP32", 10) is None
    assert quick.binary(body(wanting), raw, "FP32", 1) is None
    wrongs: list[dict[str, Any]] = [{"shape": [4, 1]}, {"datatype": "FP64"}, {"parameters": {"binary_data_size": 8}}]
    for wrong in wrongs:
        assert quick.binary(body({"inputs": [given | wrong]}), raw, "FP32", 10) is None, wrong
    assert quick.binary(body({"inputs": [given], "outputs": [{"name": "value"}]}), raw, "FP32", 10) is None
    twice = body(wanting).replace(b'"datatype"', b'"datatype": "FP32", "datatype"')
    assert quick.binary(twice, raw, "FP32", 10) is None


def test_packed_rows_are_a_mapping_of_one_tensor() -> None:
    quick = matrix().quick
    assert quick is not None
    one, other = (quick.read(body({"data": [row]}), 1) for row in ROWS)
    assert one is not None
    assert other is not None
    assert isinstance(one.tensors, PackedRows)
    assert isinstance(other.tensors, PackedRows)
    assert list(one.tensors) == ["X"]
    assert len(one.tensors) == 1
    with pytest.raises(KeyError):
        one.tensors["Y"]
    joined = one.tensors.joined([one.tensors.content, other.tensors.content])
    assert joined["X"].tolist() == np.array(ROWS, dtype=np.float32).tolist()
