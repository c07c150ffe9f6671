"""Tokenizers as checkpoints bring them: a SentencePiece model alone, with or without location tokens; damaged ones.

The SentencePiece library itself is the reference, over a small model trained with the settings of Gemma's.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from evalsuite.backends.checkpoints.prompt import LOCATIONS, SEGMENTS, PromptTokenizer
from evalsuite.errors import BackendError

WORDS = "answer en caption detect what is the red dog on left of a blue table how many true false street sign"
TEXTS = [
    "answer en what is the dog?",
    "",
    "  two  spaces ",
    "tab\there \t x",
    "what\nis",
    "\n\n\n",
    "café 漢字 🙂 e\u0301",
    "\u00a0ＡＢＣ ﬁ",
    "12,345.6 %",
    "<loc0001> dog",
    "a<seg127>b<loc1023>",
    "<image> <bos> <eos> <pad> <unk>",
    "a\r\nb",
    "dog " * 200,
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """``plain``: text pieces alone. ``complete``: location and segmentation tokens follow, as in PaliGemma's file."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2 as proto

    folder = tmp_path_factory.mktemp("sentencepiece")
    draw = random.Random(0)
    lines = [
        " ".join(draw.choice(WORDS.split()) for _ in range(8)) + draw.choice(["?", " 12,5 %", "."]) for _ in range(500)
    ]
    (folder / "text.txt").write_text("\n".join(lines))
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text.txt"), model_prefix=str(folder / "plain"), vocab_size=500, hard_vocab_limit=False,
        model_type="bpe", byte_fallback=True, split_digits=True, add_dummy_prefix=False, remove_extra_whitespaces=False,
        normalization_rule_name="identity", allow_whitespace_only_pieces=True, pad_id=0, eos_id=1, bos_id=2, unk_id=3,
        eos_piece="<eos>", bos_piece="<bos>", user_defined_symbols=["<mask>", "\n", "\n\n", "▁▁"], minloglevel=2,
    )  # fmt: skip
    model = proto.ModelProto()
    model.ParseFromString((folder / "plain.model").read_bytes())
    for mark in LOCATIONS + SEGMENTS:
        model.pieces.add(piece=mark, score=0, type=proto.ModelProto.SentencePiece.USER_DEFINED)
    (folder / "complete.model").write_bytes(model.SerializeToString())
    return {"plain": folder / "plain.model", "complete": folder / "complete.model"}


@pytest.fixture(scope="module")
def reference(trained: dict[str, Path]) -> Any:
    import sentencepiece

    return sentencepiece.SentencePieceProcessor(model_file=str(trained["complete"]))


def checkpoint(folder: Path, model: Path, tokenizer_config: dict[str, Any] | None = None) -> Path:
    """A folder with ``tokenizer.model`` and the config, as far as choosing a tokenizer looks at it."""
    shutil.copy(model, folder / "tokenizer.model")
    config = {"model_type": "paligemma", "text_config": {"model_type": "gemma2"}, "vision_config": {}}
    (folder / "config.json").write_text(json.dumps(config))
    if tokenizer_config:
        (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config))
    return folder


@pytest.mark.parametrize("kind", ["plain", "complete"])
@pytest.mark.parametrize("tokenizer_config", [None, {"tokenizer_class": "GemmaTokenizer", "add_bos_token": True}])
def test_a_sentencepiece_file_alone_reads_and_writes_as_sentencepiece_does(
    kind: str, tokenizer_config: dict[str, Any] | None, trained: dict[str, Path], reference: Any, tmp_path: Path
) -> None:
    size = reference.vocab_size()
    folder = checkpoint(tmp_path, trained[kind], tokenizer_config)
    tokenizer = PromptTokenizer.load(folder, size + 1, image_id=size)
    for text in TEXTS:
        ids = reference.encode(text)
        assert tokenizer.prompt(text) == (2, *ids, *reference.encode("\n")), text
        assert tokenizer.text(ids) == reference.decode(ids) == text
    locations = tokenizer.prompt("".join(LOCATIONS + SEGMENTS))[1:-1]
    assert locations == tuple(range(size - 1152, size))


def test_a_tokenizer_whose_locations_are_off_by_one_is_refused(trained: dict[str, Path], tmp_path: Path) -> None:
    """As saved by a processor that found no ``<image>`` in the tokenizer and added it before the locations."""
    import transformers

    source = tmp_path / "source"
    source.mkdir()
    auto: Any = transformers.AutoTokenizer
    tokenizer = auto.from_pretrained(checkpoint(source, trained["plain"], {"tokenizer_class": "GemmaTokenizer"}))
    size = len(tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    tokenizer.add_tokens(LOCATIONS + SEGMENTS)
    tokenizer.save_pretrained(tmp_path / "saved")
    (tmp_path / "saved" / "config.json").write_text((source / "config.json").read_text())
    with pytest.raises(BackendError, match=f"does not fit config.json.*<loc0000> is {size + 1}, <image> {size}"):
        PromptTokenizer.load(tmp_path / "saved", size + 1153, image_id=size + 1152)


def test_a_model_trained_with_such_a_tokenizer_keeps_it(trained: dict[str, Path], tmp_path: Path) -> None:
    """Then the config knows the image token where the tokenizer has it."""
    import transformers

    auto: Any = transformers.AutoTokenizer
    tokenizer = auto.from_pretrained(checkpoint(tmp_path, trained["plain"], {"tokenizer_class": "GemmaTokenizer"}))
    size = len(tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    tokenizer.add_tokens(LOCATIONS + SEGMENTS)
    tokenizer.save_pretrained(tmp_path)
    assert PromptTokenizer.load(tmp_path, size + 1153, image_id=size).prompt("<loc0000>")[1] == size + 1
