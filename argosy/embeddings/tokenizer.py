"""Texts to the tokens of a model, with the tokenizer file that came with it (Hugging Face's `tokenizer.json`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argosy.embeddings.plan import IDS, MASK, TYPES
from argosy.signature.spec import DType

PADDING = ("[PAD]", "<pad>", "<|endoftext|>")


class TokenizerUnusable(ValueError):
    """The file is no tokenizer, or it fails on a text."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one text: their ids, and for each the part of the text it is of (for one text all 0)."""

    ids: Sequence[int]
    types: Sequence[int]


class TextTokenizer:
    """A loaded tokenizer; threads may share it. Raises `ImportError` without the library, else `TokenizerUnusable`.

    `size` is one more than the highest id, `truncated_to` the length that the file itself cuts to.
    """

    def __init__(self, content: bytes) -> None:
        from tokenizers import Tokenizer  # noqa: PLC0415 - of an extra

        try:
            self._tokenizer = Tokenizer.from_str(content.decode())
        except BaseException as error:  # the library panics in ways that are no Exception
            raise TokenizerUnusable("the file is no tokenizer.json that the library reads") from error
        self.truncated_to: int | None = (self._tokenizer.truncation or {}).get("max_length")
        padding = self._tokenizer.padding or {}
        # Lengths are checked and rows padded here: the file's own way would cut texts silently.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        if not vocabulary:
            raise TokenizerUnusable("the tokenizer has no vocabulary")
        self.size = max(vocabulary.values()) + 1
        known = [vocabulary[token] for token in PADDING if token in vocabulary]
        self._pad_id = int(padding.get("pad_id", known[0] if known else 0))

    def encode(self, texts: Sequence[str]) -> list[Tokens]:
        """Return the tokens of each text, with the special ones; raises `TokenizerUnusable`."""
        try:
            return [Tokens(one.ids, one.type_ids) for one in self._tokenizer.encode_batch_fast(list(texts))]
        except BaseException as error:  # the library panics in ways that are no Exception
            raise TokenizerUnusable("the tokenizer fails on this text") from error

    def tensors(self, rows: Sequence[Tokens], wanted: Mapping[str, DType]) -> dict[str, NDArray[Any]]:
        """Return the model's inputs for some rows: padded at the end to the longest, and masked."""
        longest = max(len(row.ids) for row in rows)
        shape = (len(rows), longest)
        made = {IDS: np.full(shape, self._pad_id), MASK: np.zeros(shape), TYPES: np.zeros(shape)}
        for position, row in enumerate(rows):
            made[IDS][position, : len(row.ids)] = row.ids
            made[MASK][position, : len(row.ids)] = 1
            made[TYPES][position, : len(row.ids)] = row.types
        return {name: made[name].astype(dtype.value) for name, dtype in wanted.items()}
