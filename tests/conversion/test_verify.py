"""The gate on ONNX files: what is unsafe or does not fit is refused; what is right is described."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx

from argosy.conversion.convert import convert
from argosy.conversion.errors import ConversionError
from argosy.conversion.evidence import Evidence, EvidenceList, Kind, number
from argosy.conversion.frames import listed
from argosy.conversion.isolated import main
from argosy.conversion.verify import verify
from argosy.signature.spec import DType, Task
from tests.conversion import cases
from tests.support.models import classifier_sample, linear_classifier, sums


def saved(folder: Path, content: bytes) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(content)
    return path


def model(nodes: list[Any], inputs: list[Any], outputs: list[Any], initializers: list[Any] | None = None) -> bytes:
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializers or [])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    content: bytes = made.SerializeToString()
    return content


def value(name: str, kind: int, shape: list[int | None]) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def external() -> Any:
    tensor = numpy_helper.from_array(np.ones(2, dtype=np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", ".env"
    return tensor


def test_a_model_that_points_at_other_files_is_refused_wherever_it_hides_that(tmp_path: Path) -> None:
    x, y = value("x", TensorProto.FLOAT, [None, 2]), value("y", TensorProto.FLOAT, [None, 2])
    plain = model([helper.make_node("Add", ["x", "w"], ["y"])], [x], [y], [external()])
    constant = model(
        [helper.make_node("Constant", [], ["w"], value=external()), helper.make_node("Add", ["x", "w"], ["y"])],
        [x],
        [y],
    )
    branch = helper.make_graph([helper.make_node("Constant", [], ["b"], value=external())], "b", [], [y])
    branch.output[0].name = "b"
    condition = numpy_helper.from_array(np.array(True), "c")
    nested = model(
        [helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)], [x], [y], [condition]
    )
    for content in (plain, constant, nested):
        with pytest.raises(ConversionError) as refused:
            verify(saved(tmp_path, content), None, [])
        assert refused.value.failure.code == "onnx-external-data"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x08\x09nonsense", "onnx-invalid"),
        (
            model(
                [helper.make_node("Nothing", ["x"], ["y"], domain="mine")], [value("x", 1, [1])], [value("y", 1, [1])]
            ),
            "onnx-invalid",
        ),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    with pytest.raises(ConversionError) as refused:
        verify(saved(tmp_path, content), None, [])
    assert refused.value.failure.code == code


def test_a_graph_describes_itself_and_the_sample_names_its_columns(tmp_path: Path) -> None:
    found = verify(saved(tmp_path, linear_classifier()), None, [Evidence(**classifier_sample())])
    assert (found.report.passed, found.report.compared) == (True, True)
    assert [feature.name for feature in found.signature.inputs] == ["width", "height"]
    assert (found.signature.task, found.signature.classes) == (Task.CLASSIFICATION, ["small", "large"])
    assert found.signature.inputs[0].seen_maximum == 3.0
    bare = verify(saved(tmp_path, linear_classifier()), None, [])
    assert [(feature.name, feature.shape) for feature in bare.signature.inputs] == [("X", [2])]
    assert (bare.report.passed, bare.report.compared) == (True, False)
    two = verify(saved(tmp_path, sums()), None, [])
    assert [(feature.name, feature.dtype) for feature in two.signature.inputs] == [
        ("a", DType.FLOAT64),
        ("b", DType.FLOAT64),
    ]


def test_a_graph_without_a_batch_runs_row_by_row(tmp_path: Path) -> None:
    content = model(
        [helper.make_node("Add", ["x", "k"], ["y"])],
        [value("x", TensorProto.FLOAT, [3]), value("k", TensorProto.FLOAT, [])],
        [value("y", TensorProto.FLOAT, [3])],
    )
    sample = Evidence(inputs={"x": [[1, 2, 3], [4, 5, 6]], "k": [1, 2]}, outputs={"y": [[2, 3, 4], [6, 7, 8]]})
    found = verify(saved(tmp_path, content), None, [sample])
    assert not found.signature.batched
    assert found.report.passed, found.report.reason


def test_dictionaries_of_probabilities_become_tensors(tmp_path: Path) -> None:
    fitted, sample = cases.PIPELINES["text labels"]()
    content = to_onnx(fitted, sample[:1].astype(np.float32)).SerializeToString()
    assert b"ZipMap" in content
    outputs = {"label": fitted.predict(sample).tolist(), "probabilities": fitted.predict_proba(sample).tolist()}
    evidence = Evidence(inputs={f"f{index}": sample[:, index].tolist() for index in range(6)}, outputs=outputs)
    found = verify(saved(tmp_path, content), None, [evidence])
    assert b"ZipMap" not in found.onnx
    assert found.report.passed, found.report.reason
    assert found.signature.classes == ["no", "yes"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tensors": [{"name": "Z", "dtype": "float32", "shape": [None, 6]}]}, "input"),
        ({"tensors": [{"name": "X", "dtype": "float64", "shape": [None, 6]}]}, "float32"),
        ({"outputs": [{"name": "y", "dtype": "float32", "tensor": "nothing"}]}, "no output"),
    ],
)
def test_a_signature_that_does_not_fit_the_graph_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    fitted, sample = cases.PIPELINES["text labels"]()
    conversion = convert(fitted, sample)
    described = conversion.signature.model_dump(mode="json") | change
    tensor = described["tensors"][0]
    for feature in described["inputs"]:
        feature |= {"tensor": tensor["name"], "dtype": tensor["dtype"]}
    signature = type(conversion.signature).model_validate(described)
    with pytest.raises(ConversionError, match=said) as refused:
        verify(saved(tmp_path, conversion.onnx), signature, [])
    assert refused.value.failure.code == "signature-mismatch"


def test_the_isolated_steps_convert_and_then_verify(tmp_path: Path) -> None:
    import skops.io  # noqa: PLC0415

    fitted, sample = cases.PIPELINES["mixed columns, linear"]()
    skops.io.dump(fitted, tmp_path / "source")
    (tmp_path / "sample").write_text(json.dumps({"inputs": sample.to_dict("list")}))
    assert main(["convert", str(tmp_path)]) == 0
    evidence = EvidenceList.validate_json((tmp_path / "evidence.json").read_bytes())
    assert evidence[0].kind is Kind.SAMPLE
    assert len(evidence) > 2
    assert main(["verify", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "report.json").read_text())["passed"]
    assert json.loads((tmp_path / "provenance.json").read_text())["estimator"] == "sklearn.pipeline.Pipeline"


def failure(folder: Path, command: str) -> str:
    assert main([command, str(folder)]) == 3
    code: str = json.loads((folder / "error.json").read_text())["code"]
    return code


def test_the_isolated_steps_say_what_is_wrong(tmp_path: Path) -> None:
    import polars as pl  # noqa: PLC0415
    import skops.io  # noqa: PLC0415
    from sklearn.preprocessing import FunctionTransformer  # noqa: PLC0415

    (tmp_path / "source").write_bytes(b"no zip")
    assert failure(tmp_path, "convert") == "sample-missing"
    pl.DataFrame({"x": [1.0, 2.0]}).write_parquet(tmp_path / "sample")
    assert failure(tmp_path, "convert") == "skops-invalid"
    skops.io.dump(FunctionTransformer(saved), tmp_path / "source")
    assert failure(tmp_path, "convert") == "untrusted-types"
    saved(tmp_path, linear_classifier())
    (tmp_path / "evidence.json").write_text("[{}]")
    assert failure(tmp_path, "verify") == "evidence-invalid"
    (tmp_path / "evidence.json").unlink()
    for content in (b"PAR1 but no table", b"{", b'{"inputs": {"x": [1], "y": []}}'):
        (tmp_path / "sample").write_bytes(content)
        assert failure(tmp_path, "verify") == "sample-invalid"


def test_evidence_survives_json_with_numbers_json_lacks() -> None:
    answers = listed(np.array([float("nan"), float("inf")]))
    before = Evidence(inputs={"x": [1.0, None]}, outputs={"y": answers})
    after = EvidenceList.validate_json(EvidenceList.dump_json([before]))[0]
    assert after.outputs == {"y": ["NaN", "Infinity"]}
    assert number(after.outputs["y"][1]) == float("inf")
    assert after.inputs == before.inputs
