"""Signature to schema to tensor: whatever the signature, valid rows become the tensors NumPy would build, the three
forms agree, and what is not valid is refused with the field named."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argosy.signature.compiled import CompiledSignature
from argosy.signature.errors import InvalidInput
from argosy.signature.spec import DType, Feature, Output, Signature, Tensor

SCALARS = [DType.FLOAT32, DType.FLOAT64, DType.INT64, DType.INT8, DType.UINT8, DType.BOOL, DType.STRING]
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)
FAST = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)


def values(feature: Feature) -> st.SearchStrategy[Any]:
    if feature.enum is not None:
        base: st.SearchStrategy[Any] = st.sampled_from(feature.enum)
    elif feature.dtype is DType.STRING:
        base = TEXT
    elif feature.dtype is DType.BOOL:
        base = st.booleans()
    elif feature.dtype.is_float:
        width: Any = 32 if feature.dtype is DType.FLOAT32 else 64
        base = st.floats(allow_nan=False, allow_infinity=False, width=width) | st.integers(-1000, 1000)
    else:
        bounds = np.iinfo(feature.dtype.value)
        base = st.integers(int(bounds.min), int(bounds.max))
    for size in reversed(feature.shape):
        base = st.lists(base, min_size=size or 0, max_size=size or 3)
    return st.none() | base if feature.nullable and not feature.shape else base


@st.composite
def signatures(draw: st.DrawFn) -> Signature:
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    output = [Output(name="y", dtype=DType.FLOAT32, tensor="y")]
    if draw(st.booleans()):
        dtype = draw(st.sampled_from([DType.FLOAT32, DType.FLOAT64, DType.INT64]))
        nullable = dtype.is_float and draw(st.booleans())
        features = [
            Feature(name=name, dtype=dtype, tensor="X", index=index, nullable=nullable)
            for index, name in enumerate(names)
        ]
        return Signature(
            inputs=features, outputs=output, tensors=[Tensor(name="X", dtype=dtype, shape=[None, len(names)])]
        )
    features, tensors = [], []
    for index, name in enumerate(names):
        dtype = draw(st.sampled_from(SCALARS))
        shape = draw(st.sampled_from([[], [], [2], [2, 2]]))
        missing = "" if dtype is DType.STRING and draw(st.booleans()) else None
        enum = ["a", "b"] if dtype is DType.STRING and not shape and draw(st.booleans()) else None
        nullable = not shape and (missing is not None or (dtype.is_float and draw(st.booleans())))
        features.append(
            Feature(
                name=name, dtype=dtype, shape=shape, tensor=f"t{index}", nullable=nullable, missing=missing, enum=enum
            )
        )
        tensors.append(Tensor(name=f"t{index}", dtype=dtype, shape=[None, *(shape or [1])]))
    return Signature(inputs=features, outputs=output, tensors=tensors)


@st.composite
def requests(draw: st.DrawFn) -> tuple[Signature, list[dict[str, Any]]]:
    signature = draw(signatures())
    row = st.fixed_dictionaries({feature.name: values(feature) for feature in signature.inputs})
    return signature, draw(st.lists(row, min_size=1, max_size=4))


def forms(signature: Signature, rows: list[dict[str, Any]]) -> list[bytes]:
    names = [feature.name for feature in signature.inputs]
    bodies = (
        {"rows": rows},
        {"columns": {name: [row[name] for row in rows] for name in names}},
        {"data": [[row[name] for name in names] for row in rows]},
    )
    return [json.dumps(body).encode() for body in bodies]


def expected(feature: Feature, value: Any) -> Any:
    if value is None:
        return feature.missing if feature.dtype is DType.STRING else math.nan
    return value


@FAST
@given(requests())
def test_valid_rows_become_the_tensors_numpy_would_build(request: tuple[Signature, list[dict[str, Any]]]) -> None:
    signature, rows = request
    compiled = CompiledSignature(signature)
    batches = [compiled.parse(body, max_rows=10) for body in forms(signature, rows)]
    for batch in batches:
        assert batch.rows == len(rows)
        for feature in signature.inputs:
            tensor = batch.tensors[feature.tensor]
            got = tensor[:, feature.index] if feature.index is not None else tensor
            dtype = object if feature.dtype is DType.STRING else feature.dtype.value
            want = np.array([expected(feature, row[feature.name]) for row in rows], dtype=dtype)
            assert tensor.dtype == dtype
            np.testing.assert_array_equal(got.reshape(want.shape), want)


WRONG = [{"a": 1}, [[1]], "wrong", 10**400, 1.5, True, None, -(2**70)]


@FAST
@given(requests(), st.data())
def test_one_wrong_value_is_refused_and_named_alike_in_every_form(
    request: tuple[Signature, list[dict[str, Any]]], data: st.DataObject
) -> None:
    signature, rows = request
    compiled = CompiledSignature(signature)
    feature = data.draw(st.sampled_from(signature.inputs))
    index = data.draw(st.integers(0, len(rows) - 1))
    wrong = data.draw(st.sampled_from(WRONG))
    broken = [dict(row) for row in rows]
    broken[index][feature.name] = wrong
    verdicts = []
    for body in forms(signature, broken):
        try:
            compiled.parse(body, max_rows=10)
        except InvalidInput as error:
            verdicts.append([one["type"] for one in error.errors])
            loc = error.errors[0]["loc"]
            assert index in loc
            assert feature.name in loc or signature.inputs.index(feature) in loc
        else:
            verdicts.append([])
    assert verdicts[0] == verdicts[1] == verdicts[2]


@FAST
@given(requests(), st.data())
def test_a_missing_or_unknown_feature_is_named(
    request: tuple[Signature, list[dict[str, Any]]], data: st.DataObject
) -> None:
    signature, rows = request
    compiled = CompiledSignature(signature)
    name = data.draw(st.sampled_from([feature.name for feature in signature.inputs]))
    for broken in ([{key: value for key, value in row.items() if key != name} for row in rows],):
        with pytest.raises(InvalidInput) as refused:
            compiled.parse(json.dumps({"rows": broken}).encode(), max_rows=10)
        assert refused.value.errors[0]["loc"] == ["rows", 0, name]
    with pytest.raises(InvalidInput) as refused:
        compiled.parse(json.dumps({"rows": [{**rows[0], name + "?" * 13: 1}]}).encode(), max_rows=10)
    assert refused.value.errors[0]["type"] == "extra_forbidden"


@FAST
@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=12,
    ).map(lambda value: json.dumps({"rows": value}).encode())
)
def test_anything_else_is_refused_and_nothing_else_is_raised(body: bytes) -> None:
    compiled = CompiledSignature(
        Signature(
            inputs=[Feature(name="x", dtype=DType.FLOAT32, tensor="X", index=0)],
            outputs=[Output(name="y", dtype=DType.FLOAT32, tensor="y")],
            tensors=[Tensor(name="X", dtype=DType.FLOAT32, shape=[None, 1])],
        )
    )
    try:
        compiled.parse(body, max_rows=10)
    except InvalidInput as error:
        assert error.status in {400, 413, 422}
        assert len(json.dumps(error.errors)) < 8192


@FAST
@given(signatures())
def test_the_example_is_valid_and_the_schemas_are_json(signature: Signature) -> None:
    compiled = CompiledSignature(signature)
    compiled.parse(json.dumps(compiled.example_request()).encode(), max_rows=1)
    for schema in (compiled.json_schema(), compiled.request_json_schema(), compiled.response_json_schema()):
        assert json.loads(json.dumps(schema)) == schema
    assert set(compiled.row_model.model_json_schema()["properties"]) == {feature.name for feature in signature.inputs}
