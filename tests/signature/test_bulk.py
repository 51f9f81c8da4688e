"""Large bodies are read without a Python object for each number, and to the same bits."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from argosy.signature.bulk import LEAST_BYTES, BulkReader
from argosy.signature.packing import Packing
from argosy.signature.spec import DType
from tests.signature.test_quick import matrix

NAMES = ["a", "b[c", "d:e"]


def table(rows: int) -> np.ndarray:
    random = np.random.default_rng(rows)
    return np.ldexp(random.normal(size=(rows, len(NAMES))), random.integers(-60, 60, (rows, len(NAMES))))


@pytest.mark.parametrize("rows", [40, 1000, 50_000], ids=["small", "large", "beyond_the_shared_parser"])
@pytest.mark.parametrize("dtype", [DType.FLOAT32, DType.FLOAT64])
def test_forms_of_many_numbers_become_what_numpy_makes_of_them(rows: int, dtype: DType) -> None:
    reader, values = BulkReader(Packing("X", dtype, len(NAMES)), NAMES, vector=False), table(rows)
    expected = values.astype(dtype.value).tobytes()
    data = json.dumps({"data": values.tolist()}).encode()
    assert len(data) >= LEAST_BYTES
    assert reader.read(data) == expected
    assert reader.read(json.dumps({"columns": dict(zip(NAMES, values.T.tolist(), strict=True))}).encode()) == expected
    given = {"name": "X", "shape": list(values.shape), "datatype": "FP32", "data": values.ravel().tolist()}
    found = reader.infer(json.dumps({"id": "one", "inputs": [given]}).encode())
    assert found is not None
    assert found == ("X", "FP32", list(values.shape), expected, "one")


def test_a_large_body_is_read_with_the_limit_of_rows() -> None:
    quick, content = matrix().quick, json.dumps({"data": [[0.1, 2.5]] * 1000}).encode()
    assert quick is not None
    assert quick.read(content, 999) is None
    batch = quick.read(content, 1000)
    assert batch is not None
    assert batch.tensors["X"].tolist() == np.array([[0.1, 2.5]] * 1000, dtype=np.float32).tolist()


def test_threads_that_read_at_once_get_their_own_numbers_or_nothing() -> None:
    reader = BulkReader(Packing("X", DType.FLOAT64, len(NAMES)), NAMES, vector=False)
    tables = [table(rows) for rows in range(200, 240)]
    bodies = [json.dumps({"data": values.tolist()}).encode() for values in tables]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(reader.read, bodies * 5))
    for values, content in zip(tables * 5, found, strict=True):
        assert content in (None, values.tobytes())
    assert any(found)
