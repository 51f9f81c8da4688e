"""A small embeddings model, trained on texts that come with Python: word vectors of a truncated SVD, as a graph."""

import json
import re
from functools import cache
from pydoc_data.topics import topics
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from scipy.sparse import coo_matrix
from sklearn.decomposition import TruncatedSVD
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from tests.support.callers import Caller
from tests.support.models import model_of, settled

WINDOW = 4
WIDTH = 48
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


class Trained(NamedTuple):
    """A tokenizer, and a vector for each of its tokens."""

    tokenizer: Tokenizer
    table: NDArray[np.float32]

    @property
    def tokenizer_json(self) -> str:
        text: str = self.tokenizer.to_str()
        return text

    def expected(self, text: str, *, normalized: bool = False) -> NDArray[np.float32]:
        """The mean of the vectors of a text's tokens, in NumPy."""
        mean = self.table[self.tokenizer.encode(text).ids].astype(np.float64).mean(axis=0)
        found: NDArray[np.float32] = (mean / np.linalg.norm(mean) if normalized else mean).astype(np.float32)
        return found


@cache
def trained() -> Trained:
    lines = [line for text in topics.values() for line in re.split(r"\n\n+", text) if len(line) > 40]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=2000, special_tokens=list(SPECIAL), show_progress=False)
    tokenizer.train_from_iterator(lines, trainer)
    rows = [encoding.ids for encoding in tokenizer.encode_batch(lines)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    )
    tokenizer.enable_truncation(64)
    size = tokenizer.get_vocab_size()
    # One row of numbers, in which no window reaches from one line into another.
    line = np.concatenate([np.append(row, [-1] * WINDOW) for row in rows])
    pairs = np.concatenate([np.stack([line[shift:], line[:-shift]]) for shift in range(1, WINDOW + 1)], axis=1)
    pairs = pairs[:, (pairs >= 0).all(axis=0)]
    left, right = np.concatenate([pairs, pairs[::-1]], axis=1)
    counts = coo_matrix((np.ones(len(left)), (left, right)), shape=(size, size)).tocsr()
    # Positive pointwise mutual information, cut to its strongest directions: word vectors of the classic kind.
    seen = np.asarray(counts.sum(axis=1)).ravel() + 1
    counts = counts.tocoo()
    information = np.log(counts.data * seen.sum() / (seen[counts.row] * seen[counts.col]))
    matrix = coo_matrix((np.maximum(information, 0), (counts.row, counts.col)), shape=(size, size)).tocsr()
    table = TruncatedSVD(WIDTH, n_iter=2, random_state=0).fit_transform(matrix).astype(np.float32)
    table -= table.mean(axis=0)  # what all words share tells them apart by nothing
    table[: len(SPECIAL)] = np.random.default_rng(0).normal(0, 0.01, (len(SPECIAL), WIDTH)).astype(np.float32)
    return Trained(tokenizer, table)


def graph(table: NDArray[np.float32], *, pools: bool = False, types: bool = False) -> bytes:
    """Gather, and where it `pools` the masked mean; `token_embeddings`, or `sentence_embedding` besides."""
    inputs = ["input_ids", "attention_mask", *(["token_type_ids"] if types else [])]
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["token_embeddings"])]
    outputs = [helper.make_tensor_value_info("token_embeddings", TensorProto.FLOAT, [None, None, table.shape[1]])]
    initializers = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([-1]), "last")]
    initializers.append(numpy_helper.from_array(np.array([1]), "tokens"))
    if types:
        # A segment's vector is added, as in BERT: here it is nothing for the first.
        segments = numpy_helper.from_array(np.stack([np.zeros_like(table[0]), np.ones_like(table[0])]), "segments")
        nodes = [
            helper.make_node("Gather", ["table", "input_ids"], ["words"]),
            helper.make_node("Gather", ["segments", "token_type_ids"], ["parts"]),
            helper.make_node("Add", ["words", "parts"], ["token_embeddings"]),
        ]
        initializers.append(segments)
    if pools:
        nodes += [
            helper.make_node("Unsqueeze", ["attention_mask", "last"], ["mask"]),
            helper.make_node("Cast", ["mask"], ["weights"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["token_embeddings", "weights"], ["kept"]),
            helper.make_node("ReduceSum", ["kept", "tokens"], ["total"], keepdims=0),
            helper.make_node("ReduceSum", ["weights", "tokens"], ["count"], keepdims=0),
            helper.make_node("Div", ["total", "count"], ["sentence_embedding"]),
        ]
        pooled = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, [None, table.shape[1]])
        outputs.append(pooled)
    values = [helper.make_tensor_value_info(name, TensorProto.INT64, [None, None]) for name in inputs]
    return model_of(helper.make_graph(nodes, "words", values, outputs, initializers))


async def pushed(caller: Caller, name: str, artifact: bytes, tokenizer: str | None, **metadata: Any) -> dict[str, Any]:
    """Push a version with its tokenizer, and return it once it is settled."""
    await caller.post("/models", json={"name": name})
    files: dict[str, Any] = {"artifact": ("model.onnx", artifact, "application/octet-stream")}
    if tokenizer is not None:
        files["tokenizer"] = ("tokenizer.json", tokenizer, "application/json")
    response = await caller.post(
        f"/models/{caller.username}/{name}/versions", files=files, data={"metadata": json.dumps(metadata)}
    )
    assert response.status_code == 202, response.text
    return await settled(caller, name, response.json()["version"])
