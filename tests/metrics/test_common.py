"""What holds for every metric that ships. A new metric needs a line in CASES, here or in ``cases/<area>.py``."""

from __future__ import annotations

import dataclasses
import runpy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalsuite.errors import MissingDependency, ScoringError, UnknownName
from evalsuite.metrics import METRICS, Answer, Metric, WeightedMetric, load_metric, metric_class
from evalsuite.metrics.captions.java import JavaCaptionMetric


@dataclass(frozen=True)
class Case:
    """A small corpus for one metric: answers of mixed quality, and answers that no other can beat.

    best: the headline value of ``perfect`` in the official unit.
    parameters: those that have no default or that this corpus needs; a function gets a folder for files.
    """

    predictions: Sequence[Any]
    references: Sequence[Sequence[Any]]
    perfect: Sequence[Any]
    best: float = 1.0
    parameters: Mapping[str, Any] | Callable[[Path], Mapping[str, Any]] = field(default_factory=dict)


def captions() -> Case:
    references = [
        ["a man rides a brown horse", "a person on a horse"],
        ["two cats sleep on a red sofa"],
        ["a plate of food with broccoli on a table"],
        ["the small boat sails under an old bridge"],
        ["people wait for the train at night"],
    ]
    predictions = ["a man on a horse", "two dogs sleep on a red sofa", "food", "a boat", "people wait for the train"]
    return Case(predictions, references, perfect=[group[0] for group in references])


def one_caption_each() -> Case:
    """CIDEr averages over references, so only a single one can be matched completely."""
    case = captions()
    return dataclasses.replace(case, references=[group[:1] for group in case.references], best=10.0)


def ten_answers() -> Case:
    references = [
        ["red"] * 10,
        ["2"] * 6 + ["two dogs"] * 4,
        ["T-shirt"] * 5 + ["shirt"] * 5,
        ["yes"] * 9 + ["no"],
        ["the park."] * 4 + ["park", "grass", "street", "a park", "lawn", "zoo"],
    ]
    predictions = ["blue", "two dogs", "shirt", "no", "grass"]
    return Case(predictions, references, perfect=["red", "two", "t shirt", "Yes", "park"])


def short_answers() -> Case:
    references = [["Paris 2019", "paris"], ["12.5"], ["no"], ["Annual report"], ["7"]]
    predictions = ["Paris 2018", "12.6", "yes", "annual repo", ""]
    return Case(predictions, references, perfect=[group[0] for group in references])


def html_tables() -> Case:
    def table(*rows: str) -> str:
        body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row.split()) + "</tr>" for row in rows)
        return f"<html><body><table>{body}</table></body></html>"

    references = [[table("a b", "c d")], [table("one two three")], [table("x", "y", "z")], [table("10 20", "30 40")]]
    predictions = [table("a b", "c e"), table("one two"), table("x"), "no table"]
    return Case(predictions, references, perfect=[group[0] for group in references])


def box_masks() -> Case:
    """Weights that decode every code to a filled mask, so that a perfect answer is a perfect box."""

    def tokens(*corners: float) -> str:
        return "".join(f"<loc{round(1023 * corner):04d}>" for corner in corners) + "<seg000>" * 16

    def reference(y1: int, x1: int, y2: int, x2: int) -> dict[str, Any]:
        mask = np.zeros((64, 64), bool)
        mask[y1:y2, x1:x2] = True
        columns = mask.T.ravel()
        changes = np.flatnonzero(np.diff(columns, prepend=False, append=False))
        counts = np.diff(np.concatenate([[0], changes, [columns.size]]))
        return {"mask": {"size": [64, 64], "counts": counts.tolist()}, "box_yxyx": [c / 64 for c in (y1, x1, y2, x2)]}

    boxes = [(8, 8, 40, 40), (0, 16, 24, 64), (32, 0, 64, 32), (20, 20, 30, 50)]
    # A thousandth more than the corner, because pixels are truncated after the corner was rounded to its token.
    perfect = [tokens(*(min(1.0, corner / 64 + 1e-3) for corner in box)) for box in boxes]
    predictions = [tokens(0.1, 0.1, 0.6, 0.6), tokens(0.0, 0.3, 0.3, 1.0), "no tokens", perfect[3]]
    references = [[reference(*box)] for box in boxes]
    return Case(predictions, references, perfect, parameters=lambda folder: {"weights": filled_masks(folder)})


def filled_masks(folder: Path) -> str:
    """A file of mask decoder weights that are all zero, but for the bias of the last layer."""
    from evalsuite.metrics.boxes.vqvae import expected_shapes

    weights = {name: np.zeros(shape, np.float32) for name, shape in expected_shapes().items()}
    weights["decoder.12.bias"] += 1
    np.savez(folder / "filled_masks.npz", allow_pickle=False, **weights)
    return str(folder / "filled_masks.npz")


CASES: dict[str, Callable[[], Case]] = {
    "anls": short_answers,
    "bleu": captions,
    "cider": one_caption_each,
    "exact_match": short_answers,
    "mask_iou": box_masks,
    "number_words": short_answers,
    "relaxed_accuracy": short_answers,
    "rouge_l": captions,
    "teds": html_tables,
    "textvqa": ten_answers,
    "vqa_v2": ten_answers,
}


def cases_of_each_area() -> None:
    """``cases/<area>.py`` holds ``CASES``: metric name -> function that returns the fields of a Case."""
    for path in sorted((Path(__file__).parent / "cases").glob("*.py")):
        more: dict[str, Callable[[], dict[str, Any]]] = runpy.run_path(str(path))["CASES"]
        CASES.update({name: lambda make=make: Case(**make()) for name, make in more.items()})  # type: ignore[misc]


cases_of_each_area()


def runs_here(name: str) -> bool:
    """Whether the program behind a metric is installed; test_java_captions says what holds where it is not."""
    if not issubclass(metric_class(name), JavaCaptionMetric):
        return True
    try:
        load_metric(name).check()
    except MissingDependency:
        return False
    return True


pytestmark = pytest.mark.parametrize("name", [name for name in sorted(METRICS) if runs_here(name)])


@pytest.fixture
def case(name: str) -> Case:
    return CASES[name]()


@pytest.fixture
def metric(name: str, case: Case, tmp_path: Path) -> Metric:
    parameters = case.parameters(tmp_path) if callable(case.parameters) else case.parameters
    return load_metric(name, **parameters)


def headline(metric: Metric, predictions: Sequence[Any], references: Sequence[Sequence[Any]]) -> float:
    return metric.score(predictions, references)[metric.values[0].name]


def replaced(prediction: str | Answer, text: str) -> str | Answer:
    return dataclasses.replace(prediction, text=text) if isinstance(prediction, Answer) else text


def test_has_a_corpus_here(name: str) -> None:
    assert name in CASES, f"add metric {name} to CASES"


def test_goes_by_its_name_and_says_what_it_is(name: str) -> None:
    cls = metric_class(name)
    assert cls.name == name
    assert cls.version >= 1
    assert cls.source
    assert cls.__doc__ and cls.__doc__ != Metric.__doc__


def test_signature_names_every_parameter(metric: Metric) -> None:
    head, version, *parameters = metric.signature().split("|")
    assert (head, version) == (metric.name, f"v{metric.version}")
    assert [parameter.partition(":")[0] for parameter in parameters] == sorted(metric.parameters())


def test_equal_parameters_make_equal_metrics(metric: Metric) -> None:
    again = dataclasses.replace(metric)
    assert again is not metric
    assert again == metric
    assert hash(again) == hash(metric)
    assert again.signature() == metric.signature()


def test_is_frozen(metric: Metric) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        metric.name = "other"  # type: ignore[misc]


def test_unknown_parameter_is_refused(name: str) -> None:
    with pytest.raises(UnknownName, match="lambada"):
        load_metric(name, lambada=1)


def test_check_finds_everything_the_metric_needs(metric: Metric) -> None:
    metric.check()


def test_perfect_answers_have_the_best_value(metric: Metric, case: Case) -> None:
    value = headline(metric, case.perfect, case.references)
    assert value == pytest.approx(case.best, abs=1e-6)
    other = headline(metric, case.predictions, case.references)
    assert other < value if metric.values[0].higher_is_better else other > value


def test_values_are_those_that_are_declared_and_within_bounds(metric: Metric, case: Case) -> None:
    for predictions in (case.predictions, case.perfect):
        score = metric.score(predictions, case.references)
        assert list(score) == [value.name for value in metric.values]
        for value in metric.values:
            low, high = value.bounds
            assert low is None or score[value.name] >= low, value
            assert high is None or score[value.name] <= high + 1e-12, value


def test_empty_answers_are_scored_and_beat_nothing(metric: Metric, case: Case) -> None:
    """A failed example counts as an empty answer."""
    value = headline(metric, [replaced(prediction, "") for prediction in case.predictions], case.references)
    assert np.isfinite(value)
    perfect = headline(metric, case.perfect, case.references)
    assert value < perfect if metric.values[0].higher_is_better else value > perfect


def test_order_of_examples_does_not_matter(metric: Metric, case: Case) -> None:
    order = np.random.default_rng(0).permutation(len(case.references))
    shuffled = metric.score([case.predictions[i] for i in order], [case.references[i] for i in order])
    assert shuffled == pytest.approx(metric.score(case.predictions, case.references), rel=1e-12)


def test_order_of_references_does_not_matter(metric: Metric, case: Case) -> None:
    backwards = metric.score(case.predictions, [list(group)[::-1] for group in case.references])
    assert backwards == pytest.approx(metric.score(case.predictions, case.references), rel=1e-12)


def test_statistics_add_up_over_shards(metric: Metric, case: Case) -> None:
    ready = metric.prepare(case.predictions, case.references)
    if isinstance(ready, WeightedMetric):
        check_that_a_shard_is_a_weighting(ready, case)
        return
    whole = ready.batch_statistics(case.predictions, case.references)
    assert whole.dtype == np.float64
    shards = [
        ready.batch_statistics(case.predictions[part], case.references[part]) for part in (slice(2), slice(2, None))
    ]
    np.testing.assert_allclose(np.concatenate(shards), whole, rtol=1e-12)
    total = sum(shard.sum(axis=0) for shard in shards)
    score = {name: float(value) for name, value in ready.finalize(np.asarray(total)).items()}
    assert score == pytest.approx(metric.score(case.predictions, case.references), rel=1e-12)


def check_that_a_shard_is_a_weighting(ready: WeightedMetric, case: Case) -> None:
    """Nothing adds up: examples of weight 0 are as if they were not there."""
    for part in (slice(2), slice(2, None)):
        weights = np.zeros(len(case.references))
        weights[part] = 1
        values = {name: float(value) for name, value in ready.weighted_values(weights).items()}
        alone = ready.score(case.predictions[part], case.references[part])
        assert values == pytest.approx(alone, rel=1e-12, nan_ok=True)


def test_batch_statistics_are_the_statistics_of_the_examples(metric: Metric, case: Case) -> None:
    ready = metric.prepare(case.predictions, case.references)
    batch = ready.batch_statistics(case.predictions, case.references)
    for row, prediction, references in zip(batch, case.predictions, case.references, strict=True):
        np.testing.assert_allclose(ready.statistics(prediction, references), row, rtol=1e-12)


def test_a_perfect_answer_is_one_that_the_rule_can_read(metric: Metric, case: Case) -> None:
    ready = metric.prepare(case.perfect, case.references)
    unread = ready.unread(case.perfect, case.references, ready.batch_statistics(case.perfect, case.references))
    assert unread is None or unread.tolist() == [False] * len(case.perfect)


def test_what_is_unread_depends_on_the_example_alone(metric: Metric, case: Case) -> None:
    ready = metric.prepare(case.predictions, case.references)
    if isinstance(ready, WeightedMetric):  # it knows its whole corpus only
        return
    table = ready.batch_statistics(case.predictions, case.references)
    whole = ready.unread(case.predictions, case.references, table)
    for place, row in enumerate(table):
        alone = ready.unread(case.predictions[place : place + 1], case.references[place : place + 1], row[None])
        assert (whole is None and alone is None) or (whole is not None and alone == whole[place])


def test_finalize_takes_many_totals_at_once(metric: Metric, case: Case) -> None:
    ready = metric.prepare(case.predictions, case.references)
    totals = ready.batch_statistics(case.predictions, case.references).cumsum(axis=0)
    finalize = ready.finalize
    if isinstance(ready, WeightedMetric):  # which takes weights of the examples in place of totals
        totals = np.random.default_rng(0).integers(0, 3, (5, len(case.references)))
        finalize = ready.weighted_values
    together = finalize(totals)
    for value in metric.values:
        assert np.shape(together[value.name]) == (len(totals),)
        alone = [float(finalize(total)[value.name]) for total in totals]
        np.testing.assert_allclose(together[value.name], alone, rtol=1e-12)


REPEATED = """e.g., a 1. ( </ <td> <!a <a_b_="x"_ A._ 's_ **kern C[ 1www. 😀 \n <loc0001>"""
LOOKED_UP = {"embedding_similarity", "non_entailment", "radgraph_f1"}  # refuse answers that their files do not know


def test_long_answers_that_repeat_themselves_are_scored(name: str, metric: Metric, case: Case) -> None:
    """A hundred thousand characters each: work that grows with their square would not end."""
    texts = [piece.replace("_", " ") * (100_000 // len(piece)) for piece in REPEATED.split(" ")]
    count = len(case.references)
    for start in range(0, len(texts), count):
        long = [*texts, *texts][start : start + count]
        answers = [replaced(*pair) for pair in zip(case.predictions, long, strict=True)]
        try:
            value = headline(metric, answers, case.references)
        except ScoringError:
            assert name in LOOKED_UP
        else:
            assert np.isfinite(value)


def test_a_corpus_without_examples_is_refused(metric: Metric) -> None:
    with pytest.raises(ValueError, match="no examples"):
        metric.score([], [])
    with pytest.raises(ValueError, match="1 predictions but 0"):
        metric.score(["a"], [])
