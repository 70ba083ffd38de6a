"""Endpoints with the OpenAI embeddings API, through a chat provider's client."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nbroute.embedders import sendable, summed, telling, within
from nbroute.errors import BadReply
from nbroute.pricing import estimate_tokens, read_usd
from nbroute.providers.openai_compatible import OpenAICompatible
from nbroute.providers.usage import field
from nbroute.types import Embedded, ProviderKind, Usage

if TYPE_CHECKING:
    import numpy as np

#: Texts per request, and OpenAI's limits in tokens for one text and for a request.
BATCH, TEXT_TOKENS, BATCH_TOKENS = 256, 8000, 250_000


class OpenAIEmbedder:
    """Vectors from POST /embeddings at the provider's endpoint, many texts per request.

    A text of over 8,000 tokens is embedded by its beginning and its end. The usage is the sum over
    the requests, estimated if the endpoint does not say. Thread-safe.
    """

    def __init__(self, provider: OpenAICompatible, model: str = "text-embedding-3-small") -> None:
        self.kind: ProviderKind = provider.kind
        self.provider = provider.name
        self.model = model
        # With the address: another endpoint under the same name has other vectors.
        self.name = f"{provider.host}:{model}"
        self._endpoint = provider

    def missing(self, texts: Sequence[str]) -> list[str]:
        """All of the texts, each once: nothing is kept here."""
        return list(dict.fromkeys(texts))

    def embed(self, texts: Sequence[str]) -> Embedded:
        """One vector per text. Raises ProviderErrors; BadReply if the answer does not have them."""
        import numpy as np

        started = time.perf_counter()
        ready = [within(sendable(text), TEXT_TOKENS) or " " for text in texts]
        answers: list[tuple[np.ndarray, Usage]] = []
        batches: list[list[str]] = []
        room = 0
        for text in ready:
            tokens = estimate_tokens(text)
            if not batches or len(batches[-1]) == BATCH or tokens > room:
                batches.append([])
                room = BATCH_TOKENS
            batches[-1].append(text)
            room -= tokens
        for batch in batches:
            with telling(lambda: summed(usage for _, usage in answers)):
                answers.append(self._post(batch))
        if not answers:
            return Embedded(np.zeros((0, 0), dtype=np.float32))
        widths = {vectors.shape[1] for vectors, _ in answers}
        if len(widths) > 1:
            raise self._bad(f"vectors of {' and '.join(map(str, sorted(widths)))} dimensions")
        elapsed = (time.perf_counter() - started) * 1000
        vectors = np.concatenate([vectors for vectors, _ in answers])
        return Embedded(vectors, summed(usage for _, usage in answers), elapsed)

    def _post(self, texts: list[str]) -> tuple[np.ndarray, Usage]:
        import numpy as np

        answer = self._endpoint.post("/embeddings", {"model": self.model, "input": texts})
        data, count = field(answer, "data"), len(texts)
        if not isinstance(data, list) or len(data) != count:
            found = f"{len(data)} of them" if isinstance(data, list) else "none"
            raise self._bad(f"{found} for {count} texts")
        # By `index` if those are complete, else in the order in which they came.
        places = [field(item, "index") for item in data]
        if all(type(place) is int for place in places) and sorted(places) == list(range(count)):
            data = sorted(data, key=lambda item: item["index"])
        rows = [field(item, "embedding") for item in data]
        if not all(isinstance(row, list) and row for row in rows):
            raise self._bad("something else instead")
        try:
            with np.errstate(over="ignore"):
                vectors = np.asarray(rows, dtype=np.float32)
        except (TypeError, ValueError, OverflowError):
            raise self._bad("rows of different lengths or of things that are not numbers") from None
        if vectors.ndim != 2 or not np.isfinite(vectors).all():
            raise self._bad("values that are not finite numbers")
        told = field(answer, "usage")
        billed = read_usd(field(told, "cost"))
        for name in ("prompt_tokens", "total_tokens"):
            taken = field(told, name)
            if type(taken) is int and taken > 0:
                return vectors, Usage(taken, billed_usd=billed)
        ours = sum(map(estimate_tokens, texts))
        return vectors, Usage(ours, billed_usd=billed, estimated=True)

    def _bad(self, what: str) -> BadReply:
        return BadReply(
            f"{self._endpoint.host} did not answer with vectors of {self.model!r} but with {what}: "
            "name a model that embeds, such as 'text-embedding-3-small', or ask again"
        )
