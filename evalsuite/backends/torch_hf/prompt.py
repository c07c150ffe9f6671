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
        self.bos, self.eos = bos, eos
        self.separator = self._encode(SEPARATOR)

    @classmethod
    def load(cls, folder: Path, vocabulary_size: int, trust_remote_code: bool = False) -> PromptTokenizer:
        """From a checkpoint folder. Raises BackendError when there is no usable tokenizer in it."""
        from transformers import AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
            inner = tokenizer.backend_tokenizer
        except (OSError, ValueError, ImportError, AttributeError, KeyError) as error:
            raise BackendError(f"model {folder}: its tokenizer cannot be loaded ({error}).") from error
        _add_missing_tokens(inner, vocabulary_size, folder)
        return cls(inner, _special(tokenizer, "bos_token_id", 2), _special(tokenizer, "eos_token_id", 1))

    def prompt(self, text: str, max_tokens: int | None = None) -> tuple[int, ...]:
        """BOS, the tokens of ``text`` and the newline, cut from the right to ``max_tokens``."""
        return (self.bos, *self._encode(text), *self.separator)[:max_tokens]

    def text(self, token_ids: Sequence[int]) -> str:
        """Text of generated tokens up to the first end-of-sequence, not stripped and not cleaned up."""
        ids = list(token_ids)
        if self.eos in ids:
            ids = ids[: ids.index(self.eos)]
        decoded: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return decoded

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)


def _read_specials_as_text(tokenizer: Any) -> None:
    """A question may speak of ``<image>`` or ``<eos>``: as SentencePiece does, read that as text.

    Location and segmentation tokens stay tokens; where a tokenizer counts them as special, all keep their meaning.
    """
    tokenizer.encode_special_tokens = True
    if len(tokenizer.encode(LOCATIONS[0], add_special_tokens=False).ids) != 1:
        tokenizer.encode_special_tokens = False


def _add_missing_tokens(tokenizer: Any, vocabulary_size: int, folder: Path) -> None:
    """Some local tokenizers lack the location and segmentation tokens, which follow the text pieces directly."""
    missing = [token for token in LOCATIONS + SEGMENTS if tokenizer.token_to_id(token) is None]
    if not missing:
        return
    if tokenizer.get_vocab_size() + len(missing) > vocabulary_size:
        raise BackendError(f"model {folder}: its tokenizer lacks {missing[0]} and has no room for it.")
    tokenizer.add_tokens(missing)


def _special(tokenizer: Any, name: str, default: int) -> int:
    value = getattr(tokenizer, name, None)
    return default if value is None else int(value)
