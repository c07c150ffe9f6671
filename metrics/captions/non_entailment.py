"""Non-entailment sentences (NES): human judgement of the sentences of long captions."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from evalsuite.errors import DataError, ScoringError, UsageError
from evalsuite.metrics.base import Answer, Array, Flags, Metric, Value, ratio
from evalsuite.metrics.captions.length import split_sentences
from evalsuite.metrics.captions.rating_sheets import (
    RATINGS,
    RatedSentence,
    judges,
    rating_files,
    read_ratings,
    squeezed,
    write_rating_sheet,
)
from evalsuite.metrics.shared.side_files import describe_file, version_of

__all__ = ["RATINGS", "NonEntailment", "majority", "rating_statistics", "read_ratings", "write_rating_sheet"]


def majority(ratings: Sequence[str]) -> str | None:
    """The rating that more raters gave than any other; None for a tie (and for no rating).

    >>> majority(["Neutral", "Neutral", "Entailment"])
    'Neutral'
    """
    ranked = Counter(ratings).most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


_NON, _ENTAILED, _NOTHING, _TIE, _SENTENCES, _AGREEMENT, _COMPARED, _EMPTY, _COUNT = range(9)
_SHARES = slice(9, 9 + len(RATINGS))


def rating_statistics(ratings: Sequence[str]) -> Array:
    """Shape (13,): what one rated sentence adds to the sums of :class:`NonEntailment` (no answer is counted)."""
    row = np.zeros(_SHARES.stop)
    outcome = majority(ratings)
    row[{"Entailment": _ENTAILED, "Nothing to assess": _NOTHING, None: _TIE}.get(outcome, _NON)] = 1
    row[_SENTENCES] = 1
    if len(ratings) > 1:
        counts = np.array([ratings.count(rating) for rating in RATINGS], np.float64)
        row[_AGREEMENT] = (counts * (counts - 1)).sum() / (len(ratings) * (len(ratings) - 1))
        row[_COMPARED] = 1
        row[_SHARES] = counts / len(ratings)
    return row


@dataclass(frozen=True)
class NonEntailment(Metric):
    """Share of caption sentences that raters find not entailed by the image. In [0, 1], printed in percent.

    Every sentence is rated by several people as Entailment, Neutral, Contradiction or Nothing to assess; the rating
    given most often is the sentence's, and Neutral or Contradiction make it a non-entailment sentence. The two are put
    together after the vote, not before.

    - ``nes``: non-entailment sentences among all. ``nes_assessable``: among those whose rating is neither a tie nor
      Nothing to assess. The paper does not say which of the two it reports.
    - ``ties``, ``nothing_to_assess``: shares of all sentences.
    - ``agreement``: how often two raters of a sentence agree, mean over sentences with two or more ratings.
    - ``kappa``: Fleiss' kappa of the same sentences, in [-1, 1]: agreement beyond chance, where chance comes from the
      share of every rating; 1 where all ratings are the same.
    - ``empty``: share of answers without a sentence. Such an answer counts as one non-entailment sentence, so that
      silence is not the best caption.

    ratings: file or folder for :func:`read_ratings`; ``evalsuite ratings export`` writes an empty sheet. References are
    not used. PaliGemma 2, https://arxiv.org/abs/2412.03555, Table 6 and Appendix B.5 (five raters); no official code is
    public. Fleiss 1971, https://doi.org/10.1037/h0031619.

    Ratings that a model gave (``evalsuite ratings judge``) make another number, whose signature names the model and
    the version of its prompt; no published value is set beside it.
    """

    name: ClassVar[str] = "non_entailment"
    takes_answers: ClassVar[bool] = True
    values: ClassVar[tuple[Value, ...]] = (
        Value("nes", higher_is_better=False),
        Value("nes_assessable", higher_is_better=False),
        Value("ties", higher_is_better=False),
        Value("nothing_to_assess", higher_is_better=False),
        Value("agreement"),
        Value("kappa", unit="", scale=1.0, bounds=(-1.0, 1.0)),
        Value("empty", higher_is_better=False),
    )
    source: ClassVar[str] = "https://arxiv.org/abs/2412.03555"
    file_parameters: ClassVar[Mapping[str, tuple[str, ...]]] = {"ratings": ()}

    ratings: str = ""

    def check(self) -> None:
        """Raises UsageError without ratings, DataError for a file that cannot be used."""
        if not self.ratings:
            raise UsageError(
                "metric non_entailment: give ratings, a sheet that people filled in; evalsuite ratings export (or "
                "evalsuite.metrics.captions.non_entailment.write_rating_sheet) writes an empty one"
            )
        _read(_version(self.ratings))

    def parameters(self) -> dict[str, Any]:
        path = Path(self.ratings)
        described = ",".join(describe_file(str(file)) for file in rating_files(path)) if path.is_dir() else None
        shown = describe_file(self.ratings) if described is None or not self.ratings else described
        judged = ",".join(self._judges())
        return {"judge": judged, "ratings": shown} if judged else {"ratings": shown}

    def caution(self) -> str:
        named = self._judges()
        return f"{', '.join(named)} rated the sentences, not people" if named else ""

    def _judges(self) -> tuple[str, ...]:
        try:
            return judges(self.ratings) if self.ratings else ()
        except DataError:  # check says what is wrong with the file
            return ()

    def statistics(self, prediction: Answer, references: Sequence[Any] = ()) -> Array:
        """Shape (13,): sentences by outcome, agreement, answers. Raises ScoringError for an answer without ratings."""
        self.check()
        total = np.zeros(_SHARES.stop)
        total[_COUNT] = 1
        if not split_sentences(prediction.text):
            total[[_NON, _SENTENCES, _EMPTY]] = 1
            return total
        rated = _read(_version(self.ratings)).get(prediction.id)
        if rated is None:
            raise ScoringError(f"non_entailment: {self.ratings} has no ratings for the answer to {prediction.id!r}")
        if squeezed("".join(sentence for sentence, _ in rated)) != squeezed(prediction.text):
            raise ScoringError(
                f"non_entailment: the sentences rated for {prediction.id!r} are not those of its answer; rate it again"
            )
        for sentence, ratings in rated:
            if not ratings:
                raise ScoringError(f"non_entailment: nobody rated {sentence!r:.60} of {prediction.id!r}")
            total += rating_statistics(ratings)
        return total

    def unread(self, predictions: Sequence[Answer], references: Sequence[Sequence[Any]], statistics: Array) -> Flags:
        """Answers without a sentence."""
        return np.asarray(statistics[:, _EMPTY], bool)

    def finalize(self, total: Array) -> dict[str, Array]:
        sentences, compared = total[..., _SENTENCES], total[..., _COMPARED]
        agreement = ratio(total[..., _AGREEMENT], compared)
        chance = (ratio(total[..., _SHARES], compared[..., None]) ** 2).sum(axis=-1)
        return {
            "nes": ratio(total[..., _NON], sentences),
            "nes_assessable": ratio(total[..., _NON], total[..., _NON] + total[..., _ENTAILED]),
            "ties": ratio(total[..., _TIE], sentences),
            "nothing_to_assess": ratio(total[..., _NOTHING], sentences),
            "agreement": agreement,
            "kappa": np.where(np.isclose(chance, 1.0, atol=1e-12), 1.0, ratio(agreement - chance, 1.0 - chance)),
            "empty": ratio(total[..., _EMPTY], total[..., _COUNT]),
        }


def _version(path: str) -> tuple[str, tuple[tuple[str, int, int], ...]]:
    return path, tuple(version_of(str(file)) for file in rating_files(Path(path)))


@functools.lru_cache(4)
def _read(version: tuple[str, tuple[tuple[str, int, int], ...]]) -> dict[str, list[RatedSentence]]:
    return read_ratings(version[0])
