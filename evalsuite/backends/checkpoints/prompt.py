"""PaliGemma's token layout: [image tokens] [BOS] [prefix] [newline], built by ourselves from the tokenizer.

big_vision ``pp/proj/paligemma/ops.py``: the newline separator is tokenized by itself, so that it never merges with
the prefix, and whatever exceeds the length is cut from the right, newline included. The checkpoint's processor
tokenizes prefix and newline together and does not cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalsuite.errors import BackendError

SEPARATOR = "\n"
IMAGE = "<image>"
LOCATIONS = [f"<loc{index:04d}>" for index in range(1024)]
SEGMENTS = [f"<seg{index:03d}>" for index in range(128)]


class PromptTokenizer:
    """Text to prompt tokens and back. Thread-safe: nothing changes after construction.

    bos, eos: ids of the special tokens. separator: the tokens of a lone newline.
    """

    def __init__(self, tokenizer: Any, bos: int, eos: int) -> None:
        """``tokenizer`` is a ``tokenizers.Tokenizer``."""
        self._tokenizer = tokenizer
        tokenizer.no_padding()
        tokenizer.no_truncation()
        _read_specials_as_text(tokenizer)
        self._silent = _without_text(tokenizer)
        self.bos, self.eos = bos, eos
        self.separator = self._encode(SEPARATOR)

    @classmethod
    def load(
        cls, folder: Path, vocabulary_size: int, image_id: int, trust_remote_code: bool = False
    ) -> PromptTokenizer:
        """From a checkpoint folder whose model has ``vocabulary_size`` rows and reads ``image_id`` as an image.

        Raises BackendError when there is no usable tokenizer in it.
        """
        from transformers import AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
            inner = tokenizer.backend_tokenizer
        except (OSError, ValueError, ImportError, AttributeError, KeyError) as error:
            raise BackendError(f"model {folder}: its tokenizer cannot be loaded ({error}).") from error
        _add_missing_tokens(inner, vocabulary_size, folder)
        _check_ids(inner, image_id, folder)
        return cls(inner, _special(tokenizer, "bos_token_id", 2), _special(tokenizer, "eos_token_id", 1))

    def prompt(self, text: str, max_tokens: int | None = None) -> tuple[int, ...]:
        """BOS, the tokens of ``text`` and the newline, cut from the right to ``max_tokens``."""
        return (self.bos, *self._encode(text), *self.separator)[:max_tokens]

    def answer(self, text: str) -> tuple[int, ...]:
        """The tokens of a given answer and the end-of-sequence, as the model would have to write it."""
        return (*self._encode(text), self.eos)

    def text(self, token_ids: Sequence[int]) -> str:
        """Text of generated tokens up to the first end-of-sequence, not stripped and not cleaned up."""
        ids = list(token_ids)
        if self.eos in ids:
            ids = ids[: ids.index(self.eos)]
        spoken = [token for token in ids if token not in self._silent]
        decoded: str = self._tokenizer.decode(spoken, skip_special_tokens=False)
        return decoded

    def id_of(self, token: str) -> int | None:
        """The id of a single token, None when the tokenizer lacks it."""
        found: int | None = self._tokenizer.token_to_id(token)
        return found

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)


def _read_specials_as_text(tokenizer: Any) -> None:
    """A question may speak of ``<image>`` or ``<eos>``: as SentencePiece does, read that as text.

    Location and segmentation tokens stay tokens; where a tokenizer counts them as special, all keep their meaning.
    """
    tokenizer.encode_special_tokens = True
    location = tokenizer.token_to_id(LOCATIONS[0])
    if tokenizer.encode(LOCATIONS[0], add_special_tokens=False).ids != [location]:
        tokenizer.encode_special_tokens = False


def _without_text(tokenizer: Any) -> frozenset[int]:
    """Ids that an answer does not show: the special tokens, save location and segmentation tokens."""
    shown = {*LOCATIONS, *SEGMENTS}
    added = tokenizer.get_added_tokens_decoder()
    return frozenset(index for index, token in added.items() if token.special and token.content not in shown)


def _add_missing_tokens(tokenizer: Any, vocabulary_size: int, folder: Path) -> None:
    """Some local tokenizers lack the location and segmentation tokens, which follow the text pieces directly."""
    missing = [token for token in LOCATIONS + SEGMENTS if tokenizer.token_to_id(token) is None]
    if not missing:
        return
    if tokenizer.get_vocab_size() + len(missing) > vocabulary_size:
        raise BackendError(f"model {folder}: its tokenizer lacks {missing[0]} and has no room for it.")
    tokenizer.add_tokens(missing)


def _check_ids(tokenizer: Any, image_id: int, folder: Path) -> None:
    """Location, segmentation and image tokens follow one another, and the model knows the last one's id.

    A processor that finds neither in a tokenizer adds ``<image>`` first, and every location is off by one.
    """
    first = tokenizer.token_to_id(LOCATIONS[0])
    found = [tokenizer.token_to_id(token) for token in LOCATIONS + SEGMENTS]
    image = tokenizer.token_to_id(IMAGE)
    expected = first + len(found) if image is None else image
    if found != list(range(first, first + len(found))) or expected != image_id:
        raise BackendError(
            f"model {folder}: its tokenizer does not fit config.json, in which {IMAGE} is {image_id}: "
            f"{LOCATIONS[0]} is {first}, {IMAGE} {image}. Take the tokenizer files of its base model."
        )


def _special(tokenizer: Any, name: str, default: int) -> int:
    value = getattr(tokenizer, name, None)
    return default if value is None else int(value)
