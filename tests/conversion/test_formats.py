"""Files are told apart by content, and a pickle is known without being loaded."""

import gzip
import io
import pickle
import zipfile
import zlib
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from argosy.conversion.formats import Format, detect, refusal
from tests.conversion import cases
from tests.support.models import linear_classifier, sums


class Bomb:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("a pickle was loaded",))


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return buffer.getvalue()


def dumped(compress: Any = 0) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(LogisticRegression(), buffer, compress=compress)
    return buffer.getvalue()


def skopsed() -> bytes:
    return bytes(skops.io.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1])))


def xgboosted(kind: str) -> bytes:
    return bytes(cases.PIPELINES["xgboost binary"]()[0].get_booster().save_raw(kind))


def lightgbm_text() -> bytes:
    text: str = cases.PIPELINES["lightgbm binary"]()[0].booster_.model_to_string()
    return text.encode()


FILES: list[tuple[Any, Format]] = [
    (linear_classifier, Format.ONNX),
    (sums, Format.ONNX),
    (skopsed, Format.SKOPS),
    *[(lambda protocol=protocol: pickle.dumps(Bomb(), protocol), Format.PICKLE) for protocol in (2, 3, 4, 5)],
    (lambda: pickle.dumps([1, 2], 0), Format.PICKLE),
    (dumped, Format.PICKLE),
    (lambda: dumped(("gzip", 3)), Format.JOBLIB),
    (lambda: dumped(("zlib", 3)), Format.JOBLIB),
    (lambda: dumped(("xz", 3)), Format.JOBLIB),
    (lambda: gzip.compress(b"x"), Format.JOBLIB),
    (lambda: zlib.compress(b"x"), Format.JOBLIB),
    (lambda: zipped("archive/data.pkl", "archive/version"), Format.TORCH),
    (lambda: zipped("a.txt"), Format.ARCHIVE),
    (lambda: zipped(*(f"{index}" for index in range(1001))), Format.ARCHIVE),
    (lambda: b"PK\x03\x04 and nothing", Format.UNKNOWN),
    (lambda: xgboosted("json"), Format.XGBOOST_JSON),
    (lambda: xgboosted("ubj"), Format.XGBOOST_UBJ),
    (lightgbm_text, Format.LIGHTGBM),
    (lambda: (8).to_bytes(8, "little") + b'{"a": 1}', Format.SAFETENSORS),
    (lambda: b"\x89HDF\r\n\x1a\n", Format.HDF5),
    (lambda: b"", Format.UNKNOWN),
    (lambda: b"hello world", Format.UNKNOWN),
    (lambda: np.random.RandomState(0).bytes(100), Format.UNKNOWN),
]


@pytest.mark.parametrize(("make", "expected"), FILES)
def test_a_file_is_what_it_holds(make: Any, expected: Format) -> None:
    file = io.BytesIO(make())
    assert detect(file) is expected
    assert file.tell() == 0


def test_every_refusal_says_why_and_what_to_do() -> None:
    for found in set(Format) - {Format.ONNX, Format.SKOPS}:
        reason, advice = refusal(found)
        assert reason
        assert advice
