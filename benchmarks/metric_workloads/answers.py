"""VQA v2 accuracy and ANLS, against the loops of the official scripts, restated from their rules.

The answers are drawn from a vocabulary whose frequencies fall like those of VQA v2: a third of the questions is
answered with yes or no, few answers are common and many occur once, and people agree or nearly agree on most questions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from evalsuite.metrics.answers.anls import ANLS
from evalsuite.metrics.answers.vqa import PUNCTUATION, VqaV2

QUESTIONS = 214_354
PAIRS = 50_000
CHUNK = 4096
OFFICIAL_SHARE = 0.05

Workload = tuple[str, Callable[[], object], Callable[[], object], float]


def workloads(scale: float = 1.0) -> Iterator[Workload]:
    """(label, ours, official, share of the examples that the official loop runs)."""
    questions = max(CHUNK, round(scale * QUESTIONS))
    official_questions = round(OFFICIAL_SHARE * questions)
    annotations = [(answer, _annotated(people)) for answer, people in _vqa_examples(official_questions)]
    yield (
        f"VQA v2 accuracy, {questions:,} questions x 10 answers, streamed (official: {official_questions:,}, scaled)",
        lambda: _streamed_accuracy(questions),
        lambda: _official_accuracy(annotations),
        official_questions / questions,
    )
    pairs = max(1000, round(scale * PAIRS))
    predictions, references = _documents(pairs)
    yield (
        f"ANLS, {pairs:,} pairs",
        lambda: ANLS(variant="rrc").score(predictions, references),
        lambda: _official_anls(predictions, references),
        1.0,
    )


def _streamed_accuracy(questions: int) -> float:
    """Ours in chunks, as a run is scored; only one chunk is in memory."""
    metric, total = VqaV2(variant="official"), np.zeros(2)
    predictions: list[str] = []
    references: list[list[str]] = []
    for answer, people in _vqa_examples(questions):
        predictions.append(answer)
        references.append(people)
        if len(predictions) == CHUNK:
            total += metric.batch_statistics(predictions, references).sum(axis=0)
            predictions, references = [], []
    if predictions:
        total += metric.batch_statistics(predictions, references).sum(axis=0)
    return float(metric.finalize(total)["vqa_accuracy"])


def _vqa_examples(count: int) -> Iterator[tuple[str, list[str]]]:
    """A predicted answer and ten human ones, question by question."""
    rng = np.random.default_rng(0)
    words = _vocabulary(rng)
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        truth = np.where(rng.random(size) < 0.36, rng.integers(0, 2, size), _zipf(rng, size, len(words)))
        # A third of the questions is answered alike by everyone; else each person gives another answer now and then.
        astray = np.where(rng.random(size) < 0.33, 0.0, rng.beta(1.2, 2.0, size))
        other = _zipf(rng, size * 11, len(words)).reshape(size, 11)
        answers = np.where(rng.random((size, 11)) < astray[:, None], other, truth[:, None])
        for row in answers.tolist():
            yield words[row[0]], [words[place] for place in row[1:]]


def _vocabulary(rng: np.random.Generator) -> list[str]:
    """Yes, no, numbers, and some 60,000 answers of one to four words, a few with punctuation."""
    letters = np.array(list("etaoinshrdlucmfwypgb"))
    stems = ["".join(rng.choice(letters, size=rng.integers(2, 10))) for _ in range(20_000)]
    lengths = rng.choice([1, 2, 3, 4], size=60_000, p=[0.4, 0.35, 0.15, 0.1])
    answers = [" ".join(stems[place] for place in rng.integers(0, len(stems), length)) for length in lengths]
    marks = ["{}.", "a {}", "the {}", "{}, {}", "{}-{}", '"{}"', "{}/{}", "{}'s", "1,{}00", "{}!"]
    for place in range(0, len(answers), 12):
        answers[place] = marks[place // 12 % len(marks)].format(answers[place], "red")
    return ["yes", "no", *(str(number) for number in range(20)), *answers]


def _zipf(rng: np.random.Generator, size: int, words: int) -> np.ndarray:
    """Places in the vocabulary, the first the most frequent, as 1 / (rank + 2)."""
    return np.minimum((2 * ((words + 2) / 2) ** rng.random(size) - 2).astype(np.int64), words - 1)


def _annotated(people: list[str]) -> list[dict[str, Any]]:
    return [{"answer": answer, "answer_confidence": "yes", "answer_id": i} for i, answer in enumerate(people, 1)]


_COMMA = re.compile(r"(\d)(,)(\d)")
_PERIOD = re.compile(r"\.(?!\d)")
_NUMBER_WORDS = "zero one two three four five six seven eight nine ten"
_NUMBERS = {"none": "0"} | {word: str(n) for n, word in enumerate(_NUMBER_WORDS.split())}
_CONTRACTED = "can't don't isn't it's let's that's there's what's"
_CONTRACTIONS = {word.replace("'", ""): word for word in _CONTRACTED.split()}


def _official_accuracy(examples: list[tuple[str, list[dict[str, Any]]]]) -> float:
    """The VQA v2 evaluation: answers cleaned one by one, a search for digit-comma-digit per punctuation mark."""
    accuracies = []
    for prediction, given in examples:
        people = [{**a, "answer": _one_line(a["answer"])} for a in given]
        answer = _one_line(prediction)
        if len({a["answer"] for a in people}) > 1:
            for a in people:
                a["answer"] = _words(_punctuation(a["answer"]))
            answer = _words(_punctuation(answer))
        scores = []
        for a in people:
            others = [other for other in people if other != a]
            scores.append(min(1.0, len([other for other in others if other["answer"] == answer]) / 3))
        accuracies.append(sum(scores) / len(scores))
    return sum(accuracies) / len(accuracies)


def _one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


def _punctuation(text: str) -> str:
    cleaned = text
    for mark in PUNCTUATION:
        if (mark + " " in text or " " + mark in text) or re.search(_COMMA, text) is not None:
            cleaned = cleaned.replace(mark, "")
        else:
            cleaned = cleaned.replace(mark, " ")
    return _PERIOD.sub("", cleaned, count=32)


def _words(text: str) -> str:
    words = []
    for word in text.lower().split():
        word = _NUMBERS.setdefault(word, word)
        if word not in ("a", "an", "the"):
            words.append(word)
    for place, word in enumerate(words):
        if word in _CONTRACTIONS:
            words[place] = _CONTRACTIONS[word]
    return " ".join(words)


def _documents(count: int) -> tuple[list[str], list[list[str]]]:
    """Answers of about 14 characters, as in DocVQA, with one to three references, right, misspelt or another one."""
    rng = np.random.default_rng(1)
    words = [word for word in _vocabulary(rng) if " " not in word]
    lengths = rng.choice(8, size=(count, 2), p=[0, 0.4, 0.25, 0.15, 0.1, 0.05, 0.03, 0.02])
    predictions, references = [], []
    for length, other_length in lengths.tolist():
        right, other = (" ".join(words[i] for i in rng.integers(len(words), size=n)) for n in (length, other_length))
        references.append([right, *(right.title() for _ in range(int(rng.integers(3))))])
        kind = rng.random()
        if kind < 0.3:
            place = int(rng.integers(len(right)))
            right = right[:place] + "x" + right[place + 1 :]
        predictions.append(right if kind < 0.75 else other)
    return predictions, references


def _official_anls(predictions: list[str], references: list[list[str]]) -> float:
    """The script of the Robust Reading Competition, with its edit distance in Python."""
    scores = []
    for prediction, answers in zip(predictions, references, strict=True):
        values = []
        for answer in answers:
            one, other = " ".join(answer.strip().lower().split()), " ".join(prediction.strip().lower().split())
            length = max(len(answer.upper()), len(prediction.upper()))
            values.append(_edits(one, other) / length if length else 0.0)
        similarity = 1 - min(values)
        scores.append(similarity if similarity >= 0.5 else 0.0)
    return sum(scores) / len(scores)


def _edits(one: str, other: str) -> int:
    if len(one) > len(other):
        one, other = other, one
    row = list(range(len(one) + 1))
    for j, b in enumerate(other):
        following = [j + 1]
        for i, a in enumerate(one):
            if a == b:
                following.append(row[i])
            else:
                following.append(1 + min(row[i], row[i + 1], following[-1]))
        row = following
    return row[-1]
