"""METEOR and SPICE, which only exist as Java programs: those of the package pycocoevalcap, run over a whole corpus."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import tempfile
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from evalsuite.errors import MissingDependency, ScoringError
from evalsuite.metrics.base import Array, Flags, Value, ratio
from evalsuite.metrics.captions.corpus import CaptionCorpus, CaptionMetric

# METEOR 1.5, task "rank", English.
ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75
STAGE_WEIGHTS = np.array([1.0, 0.6, 0.8, 0.6])  # exact, stem, synonym, paraphrase
SUMS = 23  # numbers that the program prints for a caption
TEST_LENGTH, REFERENCE_LENGTH, TEST_FUNCTION, REFERENCE_FUNCTION = range(4)
STAGES = slice(4, 20)
CHUNKS, TEST_MATCHES, REFERENCE_MATCHES = range(20, 23)
INVALID = 23
MOST_WORDS = 2000

# A program that hangs is stopped after this many seconds, and as many more for each caption.
START_SECONDS, CAPTION_SECONDS = 600.0, 1.0
_MEMO_SIZE = 20_000
_MEMO: dict[str, Array] = {}


@dataclass(frozen=True)
class JavaCaptionMetric(CaptionMetric):
    """A caption metric whose rule is a program of pycocoevalcap. ``check`` names what is missing on this machine.

    title, folder: the program's name, and its folder in that package. files: what must lie there, as shipped.
    """

    title: ClassVar[str]
    folder: ClassVar[str]
    files: ClassVar[tuple[str, ...]]

    def check(self) -> None:
        """Raise MissingDependency for a package, a program or a file that is not here."""
        self.programs()

    def programs(self) -> tuple[str, Path]:
        """The java program and the folder of the metric's files. Raises MissingDependency."""
        package = importlib.util.find_spec("pycocoevalcap")
        if package is None or not package.submodule_search_locations:
            raise MissingDependency(f"metric {self.name}", "pycocoevalcap", extra="java-captions")
        java = shutil.which("java")
        if java is None or not _answers(java):
            way_out = "install a Java runtime, version 8 or newer, so that the command java runs"
            raise MissingDependency(f"metric {self.name}", "java", way_out=way_out)
        folder = Path(next(iter(package.submodule_search_locations))) / self.folder
        for file in self.files:
            if not (folder / file).is_file():
                raise MissingDependency(f"metric {self.name}", file, way_out=self.way_to(folder / file))
        return java, folder

    def way_to(self, file: Path) -> str:
        """How to get a file that is missing."""
        return f"pip install --force-reinstall pycocoevalcap (it ships {file})"

    def corpus_statistics(self, corpus: CaptionCorpus) -> Array:
        java, folder = self.programs()
        references: list[list[str]] = [[] for _ in corpus.predictions]
        for image, reference in zip(corpus.image, corpus.references, strict=True):
            references[image].append(reference)
        return self.measure(java, folder, corpus.predictions, references)

    @abstractmethod
    def measure(self, java: str, folder: Path, predictions: list[str], references: list[list[str]]) -> Array:
        """Statistics of tokenized captions from the program. Shape (captions, k)."""

    def run(self, command: list[str], folder: Path, captions: int, text: str = "") -> str:
        """What the program prints. Raises ScoringError when it fails, or does not end in time."""
        seconds = START_SECONDS + CAPTION_SECONDS * captions
        try:
            # Strings that are no Unicode (lone surrogates) become question marks; the program could not read them.
            done = subprocess.run(
                command, input=text.encode("utf-8", "replace"), capture_output=True, cwd=folder, timeout=seconds
            )
        except subprocess.TimeoutExpired as error:
            message = f"metric {self.name}: {self.title} did not end within {seconds:.0f} s on {captions} captions"
            raise ScoringError(message) from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise ScoringError(f"metric {self.name}: {self.title} failed with status {done.returncode}: {said[:500]}")
        return done.stdout.decode("utf-8", "replace")


@dataclass(frozen=True)
class Meteor(JavaCaptionMetric):
    """Weighted F-measure of aligned words, punished for scattered matches; corpus value in [0, 1]; in percent.

    Denkowski and Lavie 2014, https://aclanthology.org/W14-3348: METEOR 1.5 for English as pycocoevalcap runs it. Words
    are aligned to one reference (the one with the best score) by form, stem, WordNet synonym and paraphrase, weighted
    1, 0.6, 0.8 and 0.6, function words with 0.25 and content words with 0.75; recall weighs 0.85 in the harmonic mean,
    which is reduced by ``0.6 * (chunks / matches) ** 0.2``. The corpus value is that of the summed counts, not a mean.

    Statistics, shape (25,): the 23 counts that the program prints for a caption, with no chunk for a caption that
    matches completely (so it enters the official sum); whether it is invalid; and 1. ``invalid`` is the share of
    captions of more than 2,000 words, on which the program breaks down; they count as words without a match.

    The official rule for ``|||``, the program's separator, holds: it is deleted from predictions and splits a reference
    into two. Line ends, on which the official wrapper fails, are spaces (they remain with ``tokenize=False`` only).
    Needs pycocoevalcap, Java and 2 GB of memory; some 5 s to start, 1 to 2 ms a caption.
    """

    name: ClassVar[str] = "meteor"
    values: ClassVar[tuple[Value, ...]] = (Value("meteor"), Value("invalid", higher_is_better=False))
    source: ClassVar[str] = "https://www.cs.cmu.edu/~alavie/METEOR/ (meteor-1.5.jar of pycocoevalcap)"
    title: ClassVar[str] = "METEOR"
    folder: ClassVar[str] = "meteor"
    files: ClassVar[tuple[str, ...]] = ("meteor-1.5.jar", "data/paraphrase-en.gz")

    def measure(self, java: str, folder: Path, predictions: list[str], references: list[list[str]]) -> Array:
        examples = list(zip(predictions, references, strict=True))
        lines = [_score_line(prediction, group) for prediction, group in examples]
        lengths = [[len(text.split()) for text in (prediction, *group)] for prediction, group in examples]
        readable = [line for line, words in zip(lines, lengths, strict=True) if max(words) <= MOST_WORDS]
        self._look_up(java, folder, list(dict.fromkeys(readable)))
        rows = np.zeros((len(lines), SUMS + 2))
        rows[:, -1] = 1.0
        for row, line, words in zip(rows, lines, lengths, strict=True):
            if max(words) <= MOST_WORDS:
                row[:SUMS] = _MEMO[line]
            else:
                row[[TEST_LENGTH, REFERENCE_LENGTH, INVALID]] = words[0], min(words[1:], default=0), 1.0
        return rows

    def _look_up(self, java: str, folder: Path, lines: list[str]) -> None:
        """Have all lines in the memo. The program takes seconds to start, so it is asked once, for the new ones."""
        new = [line for line in lines if line not in _MEMO]
        if not new:
            return
        if len(_MEMO) + len(new) > _MEMO_SIZE:
            _MEMO.clear()
            new = lines
        options = ["-Xmx2G", "-Xss512m"]  # the stack is for long captions
        command = [java, *options, "-jar", "meteor-1.5.jar", "-", "-", "-stdio", "-l", "en", "-norm"]
        answers = self.run(command, folder, len(new), "\n".join(new) + "\n").splitlines()
        if len(answers) != len(new):
            raise ScoringError(f"metric meteor: METEOR gave {len(answers)} lines for {len(new)} captions")
        _MEMO.update((line, _read(answer)) for line, answer in zip(new, answers, strict=True))

    def unread(self, predictions: Sequence[str], references: Sequence[Sequence[Any]], statistics: Array) -> Flags:
        """Answers of more than 2,000 words, or with a reference of so many."""
        return np.asarray(statistics[:, INVALID], bool)

    def finalize(self, total: Array) -> dict[str, Array]:
        def weighted(content: Array, function: Array) -> Array:
            return np.asarray(DELTA * content + (1 - DELTA) * function)

        stages = total[..., STAGES].reshape(*total.shape[:-1], 4, 4)
        test_matches = weighted(stages[..., 0], stages[..., 2]) @ STAGE_WEIGHTS
        reference_matches = weighted(stages[..., 1], stages[..., 3]) @ STAGE_WEIGHTS
        test_function, reference_function = total[..., TEST_FUNCTION], total[..., REFERENCE_FUNCTION]
        precision = ratio(test_matches, weighted(total[..., TEST_LENGTH] - test_function, test_function), 0.0)
        length = weighted(total[..., REFERENCE_LENGTH] - reference_function, reference_function)
        recall = ratio(reference_matches, length, 0.0)
        mean = ratio(precision * recall, ALPHA * precision + (1 - ALPHA) * recall, 0.0)
        scatter = ratio(total[..., CHUNKS], (total[..., TEST_MATCHES] + total[..., REFERENCE_MATCHES]) / 2, 0.0)
        score = np.asarray(mean * (1 - GAMMA * scatter**BETA))
        return {"meteor": score, "invalid": ratio(total[..., INVALID], total[..., -1])}


@dataclass(frozen=True)
class Spice(JavaCaptionMetric):
    """F-measure of the scene graphs of prediction and references, mean over images. In [0, 1]; in percent.

    Anderson et al. 2016, https://arxiv.org/abs/1607.08822, as pycocoevalcap runs ``spice-1.0.jar``: objects, attributes
    and relations are parsed from the captions, references are merged into one graph. An example without references,
    which officially stops the program, scores 0. Statistics are (score, 1).

    Needs pycocoevalcap, Java, 8 GB of memory, and the Stanford CoreNLP 3.6.0 parser with its models, which the package
    does not ship. No official values were at hand: agreement rests on running the official program unchanged.
    """

    name: ClassVar[str] = "spice"
    values: ClassVar[tuple[Value, ...]] = (Value("spice"),)
    source: ClassVar[str] = "https://github.com/peteanderson80/SPICE (spice-1.0.jar of pycocoevalcap)"
    title: ClassVar[str] = "SPICE"
    folder: ClassVar[str] = "spice"
    files: ClassVar[tuple[str, ...]] = (
        "spice-1.0.jar",
        "lib/stanford-corenlp-3.6.0.jar",
        "lib/stanford-corenlp-3.6.0-models.jar",
    )

    def way_to(self, file: Path) -> str:
        if not file.name.startswith("stanford"):
            return super().way_to(file)
        download = "from pycocoevalcap.spice.get_stanford_models import get_stanford_models as get; get()"
        by_hand = f"or put it into {file.parent}, from stanford-corenlp-full-2015-12-09"
        return f'python -c "{download}" downloads it, {by_hand}'

    def measure(self, java: str, folder: Path, predictions: list[str], references: list[list[str]]) -> Array:
        entries = [
            {"image_id": number, "test": prediction, "refs": group}
            for number, (prediction, group) in enumerate(zip(predictions, references, strict=True))
            if group
        ]
        rows = np.column_stack([np.zeros(len(predictions)), np.ones(len(predictions))])
        for entry in self._answers(java, folder, entries) if entries else []:
            rows[int(entry["image_id"]), 0] = float(entry["scores"]["All"]["f"])
        return rows

    def _answers(self, java: str, folder: Path, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        with tempfile.TemporaryDirectory(prefix="evalsuite-spice-") as temporary:
            captions, scores = Path(temporary, "captions.json"), Path(temporary, "scores.json")
            captions.write_text(json.dumps(entries), encoding="utf-8")
            program = [java, "-Xmx8G", "-jar", "spice-1.0.jar"]
            self.run([*program, str(captions), "-out", str(scores), "-subset", "-silent"], folder, len(entries))
            answers: list[dict[str, Any]] = json.loads(scores.read_text(encoding="utf-8")) if scores.exists() else []
        if sorted(int(answer["image_id"]) for answer in answers) != [entry["image_id"] for entry in entries]:
            raise ScoringError(f"metric spice: SPICE gave scores for {len(answers)} of {len(entries)} captions")
        return answers

    def finalize(self, total: Array) -> dict[str, Array]:
        return {"spice": ratio(total[..., 0], total[..., 1])}


@lru_cache
def _answers(java: str) -> bool:
    """Whether a command is more than a placeholder for a Java runtime."""
    try:
        return subprocess.run([java, "-version"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _score_line(prediction: str, references: Sequence[str]) -> str:
    """The question of the program's line protocol."""
    line = " ||| ".join(["SCORE", *(references or [""]), prediction.replace("|||", "").replace("  ", " ")])
    return line.replace("\r", " ").replace("\n", " ")


def _read(answer: str) -> Array:
    """Counts of a caption from the program's answer. Raises ScoringError."""
    try:
        counts = np.array([float(number) for number in answer.split()])
    except ValueError:
        counts = np.zeros(0)
    if counts.shape != (SUMS,):
        raise ScoringError(f"metric meteor: METEOR answered {answer[:200]!r} instead of {SUMS} counts")
    lengths, matches = counts[[TEST_LENGTH, REFERENCE_LENGTH]], counts[[TEST_MATCHES, REFERENCE_MATCHES]]
    if counts[CHUNKS] == 1 and (lengths == matches).all():
        counts[CHUNKS] = 0.0
    return counts
