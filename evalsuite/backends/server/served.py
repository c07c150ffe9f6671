"""What is behind the address: which server, which model, and how its answers differ from the papers' protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from evalsuite.backends.base import Facts
from evalsuite.backends.server.faults import Fault
from evalsuite.backends.server.options import ServerOptions

SERVERS = {"vllm": "vLLM", "sglang": "SGLang", "llamacpp": "llama.cpp"}
"""``owned_by`` in the list of models -> name of the server."""

IDENTIFYING = ("id", "root", "parent", "max_model_len", "meta", "sha", "model_sha", "revision", "quantization")
"""Parts of an entry of the list that say which model it is (vLLM, SGLang, llama.cpp, TGI). ``created`` does not: some
servers give the time of the question."""


@dataclass(frozen=True, slots=True)
class ListedModel:
    """An entry of ``/models``. server: its name where it is known, else "". root: what the server loaded, or "".

    facts: what identifies the model, as far as the server tells it.
    """

    id: str
    server: str = ""
    root: str = ""
    facts: Facts = field(default_factory=dict)

    def is_paligemma(self) -> bool:
        return "paligemma" in f"{self.id} {self.root}".lower()


def read_models(body: bytes) -> list[ListedModel]:
    """The reply to ``GET /models``. Raises Fault when it is something else."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    entries = content.get("data") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise Fault(
            "its list of models cannot be read, as if this were not the address of an OpenAI-compatible server",
            whole=True,
            status=200,
        )
    return [_listed(entry) for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)]


def _listed(entry: Mapping[str, Any]) -> ListedModel:
    root = entry.get("root")
    known = root if isinstance(root, str) and root != entry["id"] else ""
    facts = {f"served {name}": json.dumps(entry[name], sort_keys=True) for name in IDENTIFYING if name in entry}
    return ListedModel(entry["id"], SERVERS.get(str(entry.get("owned_by")).lower(), ""), known, facts)


def images_allowed(model: ListedModel, options: ServerOptions) -> int | None:
    """Images that fit into one prompt; None for no known limit. vLLM takes one for PaliGemma."""
    if options.images_per_prompt is None and model.server == "vLLM" and model.is_paligemma():
        return 1
    return options.images_per_prompt


def deviations(model: ListedModel, options: ServerOptions) -> Iterator[str]:
    """How answers come about otherwise than in the papers' protocol, in plain sentences for manifest and report."""
    if options.image_pipeline == "reference":
        yield (
            f"Images are resized here by the papers' rule to {options.resolution} px; what the server does to them "
            "then is its own rule."
        )
    else:
        yield "The server resizes images by its own rule, not the papers'."
    yield "The server makes the tokens: prompts are not cut to the length that the papers used."
    if options.form == "chat" and options.template == "server":
        yield (
            "The prompt goes through the server's chat template; for PaliGemma, which was trained without one, it must "
            "be one that adds nothing."
        )
    if model.is_paligemma() and model.server in ("vLLM", ""):
        yield (
            "vLLM lets only the image tokens of PaliGemma see each other in both directions and reads the prompt's "
            "text causally, where the papers' prefix sees itself in both directions: its values are not comparable "
            "with published ones or with those of other backends. It takes one image per prompt."
        )
    if options.beams == "greedy":
        yield "Tasks that the papers decode with beam search are answered greedily."
    if options.temperature is None:
        yield "The server chooses the sampling temperature."
    elif options.temperature > 0:
        yield f"Answers are sampled at temperature {options.temperature:g}, not greedy."
