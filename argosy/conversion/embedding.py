"""The gate for models that make embeddings: the tokenizer can be read, fits the graph, and a text becomes a vector."""

import numpy as np

from argosy.conversion.errors import ConversionError, missing_extra
from argosy.conversion.run import open_session
from argosy.embeddings.plan import IDS, MASK, EmbeddingOptions, EmbeddingPlan, NoEmbeddings, plan, settle, takes_text
from argosy.embeddings.tokenizer import TextTokenizer, TokenizerUnusable, Tokens
from argosy.embeddings.vectors import vectors
from argosy.signature.spec import Feature, Signature

PROBES = ("A text.", "Another, somewhat longer text, to see that the padding of the first is masked.")


def with_embedding(signature: Signature, options: EmbeddingOptions, tokenizer: bytes | None, onnx: bytes) -> Signature:
    """Return the signature of an embeddings model; raises `ConversionError` when it is none, or does not run."""
    if takes_text(signature) and tokenizer is not None:
        raise _refused("the model takes texts as they are", "leave the tokenizer out")
    if not takes_text(signature) and tokenizer is None:
        raise _refused("the model takes no texts", "send its tokenizer.json too, in the part 'tokenizer'")
    loaded = _load(tokenizer) if tokenizer is not None else None
    try:
        embedding = settle(signature, options, loaded.truncated_to if loaded else None)
        inputs = [_limited(feature, loaded) for feature in signature.inputs]
        described = signature.model_copy(update={"embedding": embedding, "inputs": inputs})
        made = plan(described, has_tokenizer=loaded is not None)
    except NoEmbeddings as error:
        raise _refused(str(error)) from error
    _run(made, loaded, onnx)
    return described


def _load(content: bytes) -> TextTokenizer:
    try:
        return TextTokenizer(content)
    except ImportError as error:
        raise missing_extra("tokenizers", "embeddings") from error
    except TokenizerUnusable as error:
        advice = "send the tokenizer.json that `tokenizer.save` of Hugging Face's tokenizers writes"
        raise ConversionError("tokenizer-invalid", str(error), advice) from error


def _limited(feature: Feature, tokenizer: TextTokenizer | None) -> Feature:
    """Bound a feature that carries tokens, so that no route lets an id pass that the model does not know."""
    if tokenizer is None:
        return feature
    highest = {IDS: tokenizer.size - 1, MASK: 1}.get(feature.tensor)
    return feature.model_copy(update={"minimum": 0.0, "maximum": None if highest is None else float(highest)})


def _run(made: EmbeddingPlan, tokenizer: TextTokenizer | None, onnx: bytes) -> None:
    session = open_session(onnx)
    if made.text is not None or tokenizer is None:
        shape = [-1] + [1] * (len(session.get_inputs()[0].shape) - 1)
        tensors = {session.get_inputs()[0].name: np.array(PROBES, dtype=object).reshape(shape)}
        mask = None
    else:
        highest = Tokens([tokenizer.size - 1], [0])
        rows = [row for row in tokenizer.encode(PROBES) if row.ids]
        tensors = tokenizer.tensors([*rows, highest], made.tensors)
        mask = tensors[MASK]
    try:
        (values,) = session.run([made.output], tensors)
        vectors(values, mask, made.embedding)
    except ValueError as error:
        raise _refused(str(error)) from error
    except Exception as error:
        reason = f"the model cannot run on it: {str(error).strip().splitlines()[0][:300]}"
        raise _refused(reason, "check that the tokenizer is the model's own") from error


def _refused(reason: str, advice: str | None = None) -> ConversionError:
    return ConversionError("embedding-mismatch", reason, advice)
