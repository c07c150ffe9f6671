"""Answers that no person would give: the text metrics neither fail nor slow down."""

from __future__ import annotations

import json
import runpy
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalsuite.metrics import Answer, load_metric

AREA: dict[str, Any] = runpy.run_path(str(Path(__file__).parent / "cases" / "answers.py"))["CASES"]
REFERENCES: dict[str, Any] = {
    "anls": ["Paris 2019", ""],
    "exact_match": ["yes"],
    "number_words": ["12"],
    "relaxed_accuracy": ["12.5"],
    "textvqa": ["stop"] * 9 + ["Stop sign."],
    "vqa_v2": ["stop"] * 9 + ["Stop sign."],
}
LENGTH = 100_000
ANSWERS = {
    "nothing": "",
    "white space": " \n\t\u2028\u00a0",
    "lone surrogates": "\ud800 dog \udfff",
    "controls": "\x00\x01\x7f",
    "half a token": "<loc00",
    "NaN": "nan",
    "infinity": "1e999%",
    "dots": "." * LENGTH,
    "commas": ",1" * (LENGTH // 2),
    "letters": "a" * LENGTH,
    "endings": "ing" * (LENGTH // 3),
    "words": "dog a " * (LENGTH // 6),
    "lines": "the answer is\n" * (LENGTH // 14),
    "spaces": " " * LENGTH + "x",
    "parentheses": "(" * LENGTH,
    "combining marks": "e\u0301" * (LENGTH // 2),
    "sentences": "The answer is B. " * (LENGTH // 17),
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("name", sorted({*AREA, *REFERENCES} - {"embedding_similarity"}))
def test_a_malformed_answer_is_scored_within_a_second(name: str, answer: str, tmp_path: Path) -> None:
    case = AREA[name]() if name in AREA else {"references": [REFERENCES[name]]}
    parameters = case.get("parameters", lambda folder: {})(tmp_path)
    predictions = [ANSWERS[answer]] * len(case["references"])
    start = time.process_time()
    score = load_metric(name, **parameters).score(predictions, case["references"])
    assert time.process_time() - start < 1
    assert np.isfinite(list(score.values())).all()


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_malformed_answer_is_embedded_like_any_other(answer: str, tmp_path: Path) -> None:
    vectors = {"dog": [1.0, 0.0], ANSWERS[answer]: [3.0, 4.0]}
    lines = [json.dumps({"text": text, "vector": vector}) for text, vector in vectors.items()]
    (tmp_path / "vectors.jsonl").write_text("\n".join(lines), encoding="utf-8")
    metric = load_metric("embedding_similarity", embeddings=str(tmp_path / "vectors.jsonl"))
    similarity = metric.score([Answer(ANSWERS[answer])], [["dog"]])["cosine_similarity"]
    assert similarity == pytest.approx(0.6 if ANSWERS[answer] else 0.0)
