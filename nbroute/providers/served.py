"""The models that an endpoint serves: which of them chat, and which are larger.

Local servers say more about their models than OpenAI's list does, each in a list of its own:
- Ollama, `/api/tags`: `details.parameter_size` ("4.3B"), `details.family`, and `remote_host` for a
  model that runs elsewhere. https://docs.ollama.com/api/tags
- LM Studio, `/api/v1/models`: `key`, `type`, `params_string`, and before 0.4 `/api/v0/models`:
  `id`, `type` ("llm", "vlm", "embeddings"), `arch`. https://lmstudio.ai/docs/developer/rest
- llama.cpp, in `/v1/models` itself: `meta.n_params`; vLLM there: `root`, the model's own name.
  https://github.com/ggml-org/llama.cpp/tree/master/tools/server
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from statistics import median_high
from typing import Any

from nbroute.decoding import packaged

#: Where those lists are, next to /v1.
LISTS = ("/api/tags", "/api/v1/models", "/api/v0/models")

_SIZE = re.compile(
    r"(?<![a-z0-9.])(?:(\d+)x)?e?(\d+(?:\.\d+)?)\s?([mbt])(?![a-z0-9])", re.IGNORECASE
)
_UNITS = {"m": 1e6, "b": 1e9, "t": 1e12}
_DATA = packaged("nbroute.providers", "replies.toml")["served"]
_NO_CHAT = re.compile("".join(_DATA["no_chat"]), re.IGNORECASE)


def chat_models(listed: Any, *more: Any) -> list[str]:
    """The names of the models in the OpenAI list that chat, smallest first.

    A model of unknown size goes in the middle. `more` are the server's answers to `LISTS`.
    """
    told = {name: one for page in more for one in entries(page) for name in _names(one)}
    sizes: dict[str, float | None] = {}
    for one in entries(listed):
        name = str(one.get("id") or "")
        both = (told.get(name, {}), one)
        if name.strip() and name.isprintable() and all(map(_chats, both)):
            sizes[name] = next((size for part in both if (size := _size(part))), None)
    middle = median_high([size for size in sizes.values() if size] or [1.0])
    return sorted(sizes, key=lambda name: sizes[name] or middle)


def entries(page: Any) -> Iterator[Mapping[str, Any]]:
    """The models in a list, each a table."""
    lists = (page.get("data"), page.get("models")) if isinstance(page, dict) else ()
    for part in lists:
        if isinstance(part, list):
            yield from (one for one in part if isinstance(one, dict))


def _names(one: Mapping[str, Any]) -> Sequence[str]:
    return [
        str(one[key]) for key in ("id", "key", "model", "name") if isinstance(one.get(key), str)
    ]


def _chats(one: Mapping[str, Any]) -> bool:
    """Whether nothing says that it does not chat, or that it runs elsewhere."""
    family = _part(one, "details").get("family")
    words = [*_names(one), one.get("type"), one.get("arch"), one.get("architecture"), family]
    can = one.get("capabilities")
    other = isinstance(can, list) and can and set(map(str, can)) <= {*_DATA["other_uses"]}
    elsewhere = one.get("remote_host") or one.get("remote_model")
    named = any(_NO_CHAT.search(word) for word in words if isinstance(word, str))
    return not (named or other or elsewhere)


def _part(one: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = one.get(key)
    return part if isinstance(part, dict) else {}


def _size(one: Mapping[str, Any]) -> float | None:
    """How many parameters the model has: as the server says, else by its names."""
    size, count = _part(one, "details").get("parameter_size"), _part(one, "meta").get("n_params")
    if isinstance(count, int) and count > 0:
        return float(count)
    names = " ".join([*_names(one), str(one.get("root"))])
    for text in map(str, (size, one.get("params_string"), names)):
        if found := _SIZE.findall(text):
            return max(int(n or 1) * float(each) * _UNITS[u.lower()] for n, each, u in found)
    return None
