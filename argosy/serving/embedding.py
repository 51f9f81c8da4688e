"""Embeddings of texts: tokenized beside the event loop, run in groups of about one length, counted as one call."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from argosy.embeddings.plan import MASK, EmbeddingPlan, NoEmbeddings, plan
from argosy.embeddings.tokenizer import TextTokenizer, TokenizerUnusable, Tokens
from argosy.embeddings.vectors import Vectors, vectors
from argosy.engines.storage.base import ArtifactStore
from argosy.kit.clock import today
from argosy.kit.errors import ContentTooLarge, Invalid, invalid
from argosy.kit.logs import get_logger
from argosy.kit.principal import Principal
from argosy.serving.answers import Consumption
from argosy.serving.cache import SingleFlightCache
from argosy.serving.errors import ModelNotLoadable, ModelRejectedInput, NotAnEmbeddingModel, PredictionTimedOut
from argosy.serving.grants import spending
from argosy.serving.runtime import Outputs, Tensors
from argosy.serving.service import ServingService
from argosy.serving.target import Target
from argosy.settings import ServingSettings
from argosy.signature.errors import InvalidInput
from argosy.usage.service import Meter

MAX_INPUTS = 2048
GROUP_TOKENS = 16_384
Texts = Sequence[str] | Sequence[Sequence[int]]
Run = Callable[[Tensors, int], Awaitable[Outputs]]
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Embedded:
    """One vector for each input, and how many tokens they had (words, where the model takes texts as they are)."""

    vectors: Vectors
    tokens: int


class EmbeddingService:
    """Makes embeddings with the models of a `ServingService`."""

    def __init__(self, serving: ServingService, store: ArtifactStore, meter: Meter, settings: ServingSettings) -> None:
        self._serving = serving
        self._store = store
        self._meter = meter
        self._timeout = settings.timeout
        self._group_rows = settings.batch_rows
        # Threads of their own: a tokenizer that is slow, or was made to be, holds up nothing else.
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="argosy-tokenizer")
        self._tokenizers = SingleFlightCache[str, TextTokenizer](settings.sessions, self._load)

    async def embed(self, principal: Principal, target: Target, texts: Texts, dimensions: int | None) -> Embedded:
        """Return the embeddings of texts, or of lists of token ids, and meter them as one call.

        Raises `NotAnEmbeddingModel`, `Invalid` that names the input, `PredictionTimedOut`, and what `Lane.infer` does.
        """
        if len(texts) > MAX_INPUTS:
            raise ContentTooLarge(f"input may have at most {MAX_INPUTS} texts", limit=MAX_INPUTS)
        started = time.perf_counter()
        signature = await self._serving.signature(target)
        try:
            made = plan(signature.signature, has_tokenizer=target.tokenizer_digest is not None)
        except NoEmbeddings as error:
            raise NotAnEmbeddingModel(f"{target.model} makes no embeddings: {error}") from error
        try:
            async with spending(target.grant, 1, len(texts)) as spent, asyncio.timeout(self._timeout):
                run = partial(self._run, principal, target)
                embed = self._of_tokens if made.text is None else self._of_texts
                found = await embed(target, made, run, texts, dimensions)
        except TimeoutError as error:
            raise PredictionTimedOut(f"the embeddings took longer than {self._timeout:g} s") from error
        consumption = Consumption(principal, target, signature)
        self._meter.record(consumption.entry(today(), len(texts), time.perf_counter() - started, spent))
        return found

    async def _run(self, principal: Principal, target: Target, tensors: Tensors, rows: int) -> Outputs:
        # Asked for each time: between two runs the model may have been unloaded.
        return await (await self._serving.lane(target)).infer(tensors, rows, principal.id.int)

    async def _of_texts(
        self, target: Target, made: EmbeddingPlan, run: Run, texts: Texts, dimensions: int | None
    ) -> Embedded:
        given = [text for text in texts if isinstance(text, str)]
        if len(given) < len(texts) or made.text is None:
            raise invalid(["input"], "The model takes texts, not tokens", "string_type")
        signature = await self._serving.signature(target)
        try:
            batch = signature.to_tensors({made.text: given})
        except InvalidInput as error:
            # The signature tells the column and the row; here there is one column.
            raise Invalid(errors=[{**one, "loc": ["input", *one["loc"][2:]]} for one in error.errors]) from error
        outputs = await run(batch.tensors, batch.rows)
        found = _vectors(outputs[made.output], None, made, dimensions)
        return Embedded(found, sum(len(text.split()) for text in given))

    async def _of_tokens(
        self, target: Target, made: EmbeddingPlan, run: Run, texts: Texts, dimensions: int | None
    ) -> Embedded:
        tokenizer = await self._tokenizers.get(target.tokenizer_digest or "")
        rows = await self._tokens(tokenizer, texts)
        _check(rows, tokenizer, made)
        found: Vectors | None = None
        for places in self._groups(rows):
            tensors = tokenizer.tensors([rows[place] for place in places], made.tensors)
            outputs = await run(tensors, len(places))
            part = _vectors(outputs[made.output], tensors[MASK], made, dimensions)
            found = np.empty((len(rows), part.shape[1]), np.float32) if found is None else found
            found[places] = part
        assert found is not None  # noqa: S101 - there is at least one row, so at least one group
        return Embedded(found, sum(len(row.ids) for row in rows))

    async def _tokens(self, tokenizer: TextTokenizer, texts: Texts) -> list[Tokens]:
        given = [text for text in texts if isinstance(text, str)]
        if not given:
            return [Tokens(ids, [0] * len(ids)) for ids in texts if not isinstance(ids, str)]
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, tokenizer.encode, given)
        except TokenizerUnusable as error:
            raise ModelRejectedInput(str(error)) from error

    def _groups(self, rows: Sequence[Tokens]) -> Iterator[list[int]]:
        """Return places of rows that run together: of about one length, so that little is padding."""
        group: list[int] = []
        # From the shortest: the next one's length is what all of its group are padded to.
        for place in sorted(range(len(rows)), key=lambda place: len(rows[place].ids)):
            full = len(group) == self._group_rows or (len(group) + 1) * len(rows[place].ids) > GROUP_TOKENS
            if group and full:
                yield group
                group = []
            group.append(place)
        yield group

    async def _load(self, digest: str) -> TextTokenizer:
        try:
            path = await self._store.fetch(digest)
            return await asyncio.get_running_loop().run_in_executor(self._threads, _read, path, digest)
        except ImportError as error:
            advice = "the server lacks tokenizers: pip install 'argosy[embeddings]'"
            raise ModelNotLoadable(advice, retry_after=60) from error
        except Exception as error:
            log.exception("tokenizer_load_failed", digest=digest)
            raise ModelNotLoadable("the model's tokenizer cannot be loaded", retry_after=5) from error

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _check(rows: Sequence[Tokens], tokenizer: TextTokenizer, made: EmbeddingPlan) -> None:
    limit = made.embedding.max_tokens
    for place, row in enumerate(rows):
        count = len(row.ids)
        if not count:
            raise invalid(["input", place], "Input has no tokens", "too_short")
        if count > limit:
            raise invalid(
                ["input", place], f"Input has {count} tokens, and the model takes at most {limit}", "too_long"
            )
        if not 0 <= min(row.ids) <= max(row.ids) < tokenizer.size:
            raise invalid(["input", place], f"Tokens should be from 0 to {tokenizer.size - 1}", "token_range")


def _vectors(
    values: np.typing.NDArray[np.generic],
    mask: np.typing.NDArray[np.generic] | None,
    made: EmbeddingPlan,
    dimensions: int | None,
) -> Vectors:
    try:
        found = vectors(values, mask, made.embedding, dimensions)
    except ValueError as error:
        raise ModelRejectedInput(str(error)) from error
    if dimensions is not None and found.shape[1] < dimensions:
        raise invalid(["dimensions"], f"The model's embeddings have {found.shape[1]} dimensions", "less_than_equal")
    return found


def _read(path: Path, digest: str) -> TextTokenizer:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError("the tokenizer's SHA-256 is not the registered one")
    return TextTokenizer(content)
