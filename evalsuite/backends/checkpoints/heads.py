"""The two ends of PaliGemma's vocabulary: embeddings that read tokens, and the output layer that makes logits.

Where they are tied, one tensor is both. As transformers 5 has it, ``tie_word_embeddings`` at the top level of
``config.json`` decides, and they are tied where it says nothing (``PaliGemmaConfig``). That of ``text_config``, which
decided in transformers 4, is not looked at there: an output layer of other numbers is kept apart all the same, and
where there is none or an equal one, the ends are tied. A tensor that is stored only as output layer embeds tokens too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from evalsuite.backends.checkpoints.tensors import StoredTensor
from evalsuite.errors import BackendError

EMBEDDINGS, OUTPUT = "language_model.embed_tokens.weight", "lm_head.weight"
TIES = "tie_word_embeddings"


class VocabularyEnds(NamedTuple):
    """Plain names of the tensors that embed tokens and that make logits: (vocabulary, width) each."""

    embeddings: str
    output: str

    @property
    def tied(self) -> bool:
        return self.embeddings == self.output


def vocabulary_ends(model: str, config: Mapping[str, Any], tensors: Mapping[str, StoredTensor]) -> VocabularyEnds:
    """Which tensors they are. tensors: those of the files, by their plain names.

    Raises BackendError when the files contradict ``config.json``: an output layer of its own where the two are said to
    be tied, or none where it is said to be its own.
    """
    stated = config.get(TIES, True)
    if not isinstance(stated, bool):
        raise BackendError(f"model {model}: {TIES} in config.json is {stated!r:.40}. It must be true or false.")
    embeddings, output = tensors.get(EMBEDDINGS), tensors.get(OUTPUT)
    if not stated:
        for name, found in ((OUTPUT, output), (EMBEDDINGS, embeddings)):
            if found is None:
                raise BackendError(
                    f"model {model}: config.json says that the output layer has weights of its own ({TIES}: false), "
                    f"but the files hold no {name}. Copy the checkpoint again, or remove {TIES} if the output layer is "
                    "the embeddings."
                )
        return VocabularyEnds(EMBEDDINGS, OUTPUT)
    if embeddings is None and output is None:
        raise BackendError(
            f"model {model}: the files hold neither {EMBEDDINGS} nor {OUTPUT}: weights are missing. Copy it again."
        )
    if embeddings is None:
        return VocabularyEnds(OUTPUT, OUTPUT)
    if output is None or embeddings.equals(output):
        return VocabularyEnds(EMBEDDINGS, EMBEDDINGS)
    if TIES not in config and _said_by_text(config) is False:
        return VocabularyEnds(EMBEDDINGS, OUTPUT)
    how = f"{TIES}: true" if TIES in config else f"{TIES} is not stated, which means true"
    raise BackendError(
        f"model {model}: the files hold an output layer ({output.name}) that differs from the embeddings, but by "
        f"config.json the two are one ({how}). Write {TIES}: false at the top level of config.json if the output layer "
        "is meant, or remove its tensor if it is not."
    )


def _said_by_text(config: Mapping[str, Any]) -> Any:
    text = config.get("text_config")
    return text.get(TIES) if isinstance(text, Mapping) else None
