"""Corpora of their own within a corpus: languages."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from evalsuite.metrics import WeightedMetric, load_metric
from evalsuite.metrics.base import Array, Value
from evalsuite.metrics.captions import corpus as caption_corpus
from evalsuite.metrics.captions.bleu import Bleu
from evalsuite.metrics.captions.cider import Cider
from evalsuite.metrics.captions.pieces import Pieces
from evalsuite.metrics.captions.ptb_tokenizer import token_pieces
from evalsuite.metrics.captions.rouge import RougeL
from evalsuite.metrics.groups import average, score_by_group, scores_by_group, statistics_by_group

ENGLISH = ["a red car", "two dogs run fast", "a cat"], [["a red car parked"], ["two dogs run fast", "dogs"], ["a cat"]]
GERMAN = ["ein rotes auto", "zwei hunde"], [["ein auto"], ["zwei hunde im auto", "hunde"]]
LANGUAGES = ["en", "de", "en", "de", "en"]
PREDICTIONS = [ENGLISH[0][0], GERMAN[0][0], ENGLISH[0][1], GERMAN[0][1], ENGLISH[0][2]]
REFERENCES = [ENGLISH[1][0], GERMAN[1][0], ENGLISH[1][1], GERMAN[1][1], ENGLISH[1][2]]
EXAMPLES = PREDICTIONS, REFERENCES, LANGUAGES


def test_a_group_scores_as_if_it_were_the_whole_data_set() -> None:
    found = score_by_group(Cider(), *EXAMPLES)
    assert found == {"en": Cider().score(*ENGLISH), "de": Cider().score(*GERMAN)}


def test_document_frequencies_of_the_whole_corpus_would_be_others() -> None:
    whole = Cider().prepare(PREDICTIONS, REFERENCES)
    rows = whole.batch_statistics(PREDICTIONS, REFERENCES)[[place == "de" for place in LANGUAGES]]
    assert whole.finalize(rows.sum(axis=0))["cider"] != pytest.approx(score_by_group(Cider(), *EXAMPLES)["de"]["cider"])


def test_the_last_caption_of_a_language_has_nothing_behind_it() -> None:
    """The official tokenizer is called once per language: ``we'll`` is ``we ll`` at the end of a call."""
    references = [["we 'll"], ["x"], ["we ll"]]
    found = score_by_group(Bleu(), ["we'll", "x", "we'll"], references, ["en", "en", "de"])
    assert found["de"]["bleu_1"] == Bleu(tokenize=False).score(["we ll"], [["we ll"]])["bleu_1"]


def test_several_metrics_score_as_one_by_one() -> None:
    metrics = [Cider(), Bleu(), RougeL()]
    assert scores_by_group(metrics, *EXAMPLES) == [score_by_group(metric, *EXAMPLES) for metric in metrics]


def test_metrics_that_score_one_group_tokenize_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice a language, as officially: references, then predictions. What is not asked for is not tokenized."""
    calls: list[list[str]] = []

    def counted(captions: Sequence[str]) -> Pieces:
        calls.append(list(captions))
        return token_pieces(captions)

    monkeypatch.setattr(caption_corpus, "token_pieces", counted)
    caption_corpus.caption_corpus.cache_clear()
    Cider().prepare(PREDICTIONS, REFERENCES)
    scores_by_group([Cider(), Bleu(), RougeL()], *EXAMPLES)
    assert len(calls) == 4
    assert [ENGLISH[0], GERMAN[0]] == calls[1::2]


def test_statistics_keep_the_order_of_the_examples_and_sum_to_the_scores() -> None:
    metrics = [Cider(), Bleu()]
    for metric, table in zip(metrics, statistics_by_group(metrics, *EXAMPLES), strict=True):
        assert len(table) == len(PREDICTIONS)
        scores = score_by_group(metric, *EXAMPLES)
        for language in ("en", "de"):
            total = table[np.array(LANGUAGES) == language].sum(axis=0)
            assert {name: float(value) for name, value in metric.finalize(total).items()} == scores[language]


class Best(WeightedMetric):
    """The longest prediction: no sum."""

    name = "best"
    values = (Value("best"),)

    def weighted_values(self, weights: Array) -> dict[str, Array]:
        return {"best": weights.sum(axis=-1)}


def test_a_metric_that_is_no_sum_is_scored_by_group_but_has_no_statistics() -> None:
    assert score_by_group(Best(), *EXAMPLES) == {"en": {"best": 3.0}, "de": {"best": 2.0}}
    with pytest.raises(TypeError, match="use score_by_group"):
        statistics_by_group([Best()], *EXAMPLES)


def test_the_average_weighs_languages_equally_and_leaves_some_out() -> None:
    by_language = {"en": {"cider": 9.0}, "de": {"cider": 1.0}, "th": {"cider": 2.0}}
    assert average(by_language) == {"cider": 4.0}
    assert average(by_language, without=("en",)) == {"cider": 1.5}


def test_the_average_of_no_group_is_nan() -> None:
    assert math.isnan(average({"en": {"cider": 9.0}}, without=("en",))["cider"])
    assert average({}) == {}


def test_lengths_that_differ_and_empty_corpora_are_refused() -> None:
    with pytest.raises(ValueError, match="1 predictions, 1 reference lists, 2 groups"):
        score_by_group(load_metric("anls"), ["a"], [["a"]], ["en", "de"])
    with pytest.raises(ValueError, match="no examples"):
        score_by_group(load_metric("anls"), [], [], [])
