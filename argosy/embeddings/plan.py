"""Which models make embeddings, and how: one vector a text, from the text itself or from its tokens."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from argosy.signature.spec import MAX_TOKENS, DType, Embedding, Name, Output, Pooling, Role, Signature

DEFAULT_TOKENS = 512
IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"
TOKEN_RANK = 2


class NoEmbeddings(ValueError):
    """The signature is not one of a model that makes embeddings; the message tells why."""


class EmbeddingOptions(BaseModel):
    """What an upload says about its embeddings; what it leaves out follows from the model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    output: Name | None = Field(None, description="The output that holds them; needed where several could.")
    pooling: Pooling | None = Field(None, description="Mean of the tokens if left out, none where it is pooled.")
    normalize: bool = Field(False, description="Divide each vector by its length.")
    max_tokens: int | None = Field(
        None, ge=1, le=MAX_TOKENS, description="Longest input; what the tokenizer truncates to if left out, else 512."
    )


@dataclass(frozen=True, slots=True)
class EmbeddingPlan:
    """How a version makes embeddings.

    `text` is the feature that takes texts; where it is None, `tensors` are those that take tokens, with their types.
    `output` is the tensor the vectors are made from.
    """

    text: str | None
    tensors: Mapping[str, DType]
    output: str
    embedding: Embedding


def plan(signature: Signature, *, has_tokenizer: bool) -> EmbeddingPlan:
    """Return how the model of a signature makes embeddings; raises `NoEmbeddings`."""
    embedding = signature.embedding
    if embedding is None:
        if not takes_text(signature) or len(signature.outputs) > 1:
            raise NoEmbeddings("the model takes no text, or does not answer it with one vector")
        embedding = settle(signature, EmbeddingOptions(), None)
    output = next(one for one in signature.outputs if one.name == embedding.output)
    if takes_text(signature):
        return EmbeddingPlan(signature.inputs[0].name, {}, output.tensor, embedding)
    if not has_tokenizer:
        raise NoEmbeddings("the version has no tokenizer")
    return EmbeddingPlan(None, token_tensors(signature), output.tensor, embedding)


def settle(signature: Signature, options: EmbeddingOptions, truncated_to: int | None) -> Embedding:
    """Return how a version makes embeddings, from what its upload says and its signature; raises `NoEmbeddings`."""
    from_text = takes_text(signature)
    if not from_text:
        token_tensors(signature)
    found = [one for one in signature.outputs if _fits(one, options, from_text=from_text)]
    if len(found) != 1:
        wanted = "one vector a row" if from_text else "one vector a row, or a token"
        problem = "no output is" if not found else f"{len(found)} outputs are"
        raise NoEmbeddings(f"{problem} float and {wanted}, with the pooling asked for: name the output")
    (output,) = found
    pooled = len(output.shape) == 1
    return Embedding(
        output=output.name,
        pooling=Pooling.NONE if pooled else options.pooling or Pooling.MEAN,
        normalize=options.normalize,
        max_tokens=options.max_tokens or min(truncated_to or DEFAULT_TOKENS, MAX_TOKENS),
    )


def takes_text(signature: Signature) -> bool:
    """Tell whether the model takes texts as they are: one input, a string a row."""
    first = signature.inputs[0]
    return signature.batched and len(signature.inputs) == 1 and first.dtype is DType.STRING and not first.shape


def token_tensors(signature: Signature) -> dict[str, DType]:
    """Return the tensors that take tokens, with their types; raises `NoEmbeddings` when they are not those."""
    tensors = {tensor.name: tensor for tensor in signature.tensors}
    if not {IDS, MASK} <= tensors.keys() <= {IDS, MASK, TYPES} or not signature.batched:
        raise NoEmbeddings(f"the inputs should be one text, or {IDS}, {MASK} and maybe {TYPES}")
    for name, tensor in tensors.items():
        if not tensor.dtype.is_integer or len(tensor.shape) != TOKEN_RANK or tensor.shape[1] is not None:
            raise NoEmbeddings(f"the input {name!r} should be a tensor of integers of the shape [rows, any]")
    return {name: tensor.dtype for name, tensor in tensors.items()}


def _fits(output: Output, options: EmbeddingOptions, *, from_text: bool) -> bool:
    if options.output not in {None, output.name} or output.role is not Role.TENSOR or not output.dtype.is_float:
        return False
    if len(output.shape) == 1:
        return options.pooling in {None, Pooling.NONE}
    return len(output.shape) == TOKEN_RANK and not from_text and options.pooling is not Pooling.NONE
