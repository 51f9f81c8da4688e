"""OpenAI's own Python client, unchanged, against a real server."""

from pathlib import Path

import numpy as np
import openai
import pytest

from argosy.client import Argosy
from tests.support.embeddings import graph, trained
from tests.support.servers import ServerProcess

TEXTS = ["a list of items", "an exception was raised"]


@pytest.fixture
def client(server: ServerProcess) -> Argosy:
    return server.new_client()


def test_openais_client_gets_the_vectors_that_numpy_has(client: Argosy, tmp_path: Path) -> None:
    model = trained()
    (tmp_path / "words.onnx").write_bytes(graph(model.table))
    (tmp_path / "tokenizer.json").write_text(model.tokenizer_json)
    embedding = {"normalize": True}
    client.push(tmp_path / "words.onnx", name="words", tokenizer=tmp_path / "tokenizer.json", embedding=embedding)

    api = openai.OpenAI(base_url=f"{client.url}/v1", api_key=client._api_key, max_retries=0)
    expected = np.stack([model.expected(text, normalized=True) for text in TEXTS])
    for answer in (
        api.embeddings.create(model="words", input=TEXTS),  # asks for base64, and decodes it
        api.embeddings.create(model=f"{client.organization}/words", input=TEXTS, encoding_format="float"),
        api.embeddings.create(model="words:1", input=[model.tokenizer.encode(text).ids for text in TEXTS], user="me"),
    ):
        found = np.array([one.embedding for one in answer.data], dtype=np.float32)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert answer.usage.prompt_tokens == sum(len(model.tokenizer.encode(text).ids) for text in TEXTS)
    assert len(api.embeddings.create(model="words", input="a list", dimensions=8).data[0].embedding) == 8

    with pytest.raises(openai.NotFoundError) as missing:
        api.embeddings.create(model="nothing", input="a")
    assert (missing.value.code, missing.value.type) == ("model_not_found", "invalid_request_error")
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        api.embeddings.create(model="words", input=["a", "list " * 100])
    assert refused.value.param == "input.1"
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{client.url}/v1", api_key="ak_nonsense").embeddings.create(model="words", input="a")
