"""The tokenizer of the tiny model: a unigram over a short word list with byte fallback, laid out like PaliGemma's.

Ids: pad 0, end-of-sequence 1, beginning 2, unknown 3, 256 bytes, the newline, single characters, words, then
``<loc0000>``.. ``<loc1023>``, ``<seg000>``.. ``<seg127>`` and ``<image>``. The newline is always a token of its own.
"""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPACE = "▁"
WORD_LIST = """
a about above across after air airplane all along am an and animal answer any apple are area arm around as at away
baby back bag ball banana bar base bat beach bear bed behind below bench bicycle big bird black blue board boat body
book both bottle bottom bowl box boy bread brown building bus but by cake camera can capacity caption car cat cell
center chair chart child circle city clear clock close cloud coat color column count cow cup dark day describe desk
detect detail diagram did dish do does dog door down dress drink each eat eight elephant empty en end eye face fall
false feet female few fewer field figure find fire first five flag floor flower fly food for four from front fruit
full game girl glass go grass gray green ground group hair half hand hat has have he head her here high his hold home
horse house how in inside into is it its jacket kitchen kite lake lamp large laptop left leg less letter light line
little long look low made main make male man many map mark meat medium men middle mirror more most motorcycle mountain
mouth much music name near new next nine no none normal not note number ocean of off old on one open or orange other
out outside over page paper park part people person phone photo picture piece pink pizza place plane plant plate play
player pole price purple rain read red report ride right river road room round row sand say school sea second see
segment seven shape she sheep shelf ship shirt shoe short show side sign sit six skate sky sleep small snow some
square stand star station stop store street string suit sun surf table tail tall tell ten than that the their there
these they thing this those three through time title to top total towel tower train tree triangle truck true two
umbrella under up use vehicle very view walk wall was watch water wave wear what wheel when where which while white who
why will window with woman wood word work write year yellow yes you young zebra zero
"""
WORDS = WORD_LIST.split()
LOCATIONS = [f"<loc{index:04d}>" for index in range(1024)]
SEGMENTS = [f"<seg{index:03d}>" for index in range(128)]
CONTROL = ["<pad>", "<eos>", "<bos>", "<unk>"]
BYTES = [f"<0x{value:02X}>" for value in range(256)]
CHARACTERS = ["\n", SPACE, *string.digits, *string.ascii_letters, *string.punctuation]
PIECES = [*CONTROL, *BYTES, *CHARACTERS, *(SPACE + word for word in WORDS), *(w for w in WORDS if len(w) > 1)]
IMAGE_TOKEN_ID = len(PIECES) + len(LOCATIONS) + len(SEGMENTS)
VOCABULARY_SIZE = -(-(IMAGE_TOKEN_ID + 1) // 64) * 64


def row_scales(end_scale: float) -> NDArray[np.float32]:
    """Relative length of each embedding row, shape (VOCABULARY_SIZE,): longer rows are chosen more often.

    Words with a leading space come most often, bytes and control tokens hardly ever, and the end-of-sequence row is
    ``end_scale`` long, so that an answer ends after some tokens.
    """
    scales = np.full(VOCABULARY_SIZE, 0.3, np.float32)
    first_word = len(CONTROL) + len(BYTES) + len(CHARACTERS)
    scales[first_word : first_word + len(WORDS)] = 1.0
    scales[len(PIECES) : IMAGE_TOKEN_ID] = 0.8
    scales[len(CONTROL) + len(BYTES) + 2 : first_word] = 0.7
    scales[1] = end_scale
    return scales


def write_tokenizer(folder: Path, words: Mapping[str, float] | None = None) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json`` as the tokenizers library reads them.

    words: pieces of more than one character with their log-probabilities, in the place of the tiny model's word list.
    """
    text = json.dumps(tokenizer_json(scored_pieces(words)), ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(text + "\n", "utf-8")
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "processor_class": "PaliGemmaProcessor",
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "extra_special_tokens": {"image_token": "<image>"},
        "clean_up_tokenization_spaces": False,
        "padding_side": "left",
        "model_max_length": 32768,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", "utf-8")


def tokenizer_json(pieces: list[tuple[str, float]]) -> dict[str, Any]:
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added_tokens(len(pieces)),
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {"type": "Unigram", "unk_id": 3, "byte_fallback": True, "vocab": [list(piece) for piece in pieces]},
    }


def scored_pieces(words: Mapping[str, float] | None = None) -> list[tuple[str, float]]:
    """Each piece with its log-probability: a word beats its spelling, control tokens are never read from text."""
    first_word = len(CONTROL) + len(BYTES) + len(CHARACTERS)
    scores = [-1000.0] * len(CONTROL) + [-20.0] * len(BYTES) + [-10.0] * len(CHARACTERS)
    spelling = list(zip(PIECES[:first_word], scores, strict=True))
    return [*spelling, *(dict.fromkeys(PIECES[first_word:], -5.0) if words is None else words).items()]


def vocabulary_size(pieces: int) -> int:
    """Rows of the embedding for so many pieces of text, padded as in the released models."""
    return -(-(pieces + len(LOCATIONS) + len(SEGMENTS) + 1) // 64) * 64


def _added_tokens(pieces: int) -> list[dict[str, Any]]:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    marks = [(index, token, True) for index, token in enumerate(CONTROL)]
    marks += [(pieces + index, token, False) for index, token in enumerate(LOCATIONS + SEGMENTS)]
    marks.append((pieces + len(LOCATIONS) + len(SEGMENTS), "<image>", True))
    return [{"id": index, "content": token, **plain, "special": special} for index, token, special in marks]
