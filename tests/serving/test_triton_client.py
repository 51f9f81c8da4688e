"""Triton's own Python client, unchanged, against a real server: the script that the documentation shows."""

from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import tritonclient.http as triton
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tritonclient.utils import InferenceServerException

from argosy.client import Argosy
from tests.support.models import linear_classifier
from tests.support.servers import ServerProcess


@pytest.fixture
def client(server: ServerProcess) -> Argosy:
    return server.new_client()


def test_a_pipeline_answers_tritons_client_as_scikit_learn_does(client: Argosy) -> None:
    data = load_breast_cancer()
    names = [name.replace(" ", "_") for name in data.feature_names]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(data.data, data.target)
    client.push(model, name="cancer", sample={name: data.data[:, i].tolist() for i, name in enumerate(names)})

    headers = {"Authorization": f"Bearer {client._api_key}"}
    server = triton.InferenceServerClient(urlsplit(client.url).netloc)
    assert server.is_server_live()
    assert server.is_server_ready()
    assert server.is_model_ready("cancer", headers=headers)
    assert not server.is_model_ready("nothing", headers=headers)
    metadata = server.get_model_metadata("cancer", headers=headers)
    (tensor,) = metadata["inputs"]
    assert tensor["shape"] == [-1, 30]
    rows = data.data[:100].astype({"FP32": np.float32, "FP64": np.float64}[tensor["datatype"]])
    expected = model.predict_proba(data.data[:100])
    given = triton.InferInput(tensor["name"], list(rows.shape), tensor["datatype"])
    for binary in (True, False):
        given.set_data_from_numpy(rows, binary_data=binary)
        wanted = [triton.InferRequestedOutput(one["name"], binary_data=binary) for one in metadata["outputs"]]
        for name, version in (("cancer", ""), ("cancer", "1"), (f"{client.organization}/cancer", "")):
            # The client adds its own fields to the headers it is given.
            answer = server.infer(name, [given], version, outputs=wanted, request_id="7", headers=dict(headers))
            assert answer.get_response()["id"] == "7"
            found = answer.as_numpy(metadata["outputs"][1]["name"])
            assert found is not None
            np.testing.assert_allclose(found, expected, atol=1e-5)
            labels = answer.as_numpy(metadata["outputs"][0]["name"])
            assert labels is not None
            assert labels.tolist() == model.predict(data.data[:100]).tolist()
    with pytest.raises(InferenceServerException, match="shape"):
        short = triton.InferInput(tensor["name"], [1, 2], tensor["datatype"])
        short.set_data_from_numpy(rows[:1, :2])
        server.infer("cancer", [short], headers=headers)
    with pytest.raises(InferenceServerException, match="API key"):
        server.infer("cancer", [given], headers={"Authorization": "Bearer ak_nonsense"})


def test_text_comes_back_as_bytes(client: Argosy, tmp_path: Path) -> None:
    (tmp_path / "sizes.onnx").write_bytes(linear_classifier())
    client.push(tmp_path / "sizes.onnx", name="sizes")
    server = triton.InferenceServerClient(urlsplit(client.url).netloc)
    given = triton.InferInput("X", [2, 2], "FP32")
    given.set_data_from_numpy(np.array([[3, 4], [0, 0]], np.float32))
    answer = server.infer("sizes", [given], headers={"Authorization": f"Bearer {client._api_key}"})
    labels = answer.as_numpy("label")
    assert labels is not None
    assert labels.tolist() == [b"large", b"small"]
