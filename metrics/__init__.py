"""Metrics: pure functions of predictions and references, equal to the official implementations.

>>> from evalsuite.metrics import load_metric
>>> load_metric("anls").score(["Paris 2019"], [["paris 2018"]])
{'anls': 0.9}

Usable alone: nothing here knows the runner. Classes are imported on first use, so that a task that needs no rdkit
never loads it.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
from typing import Any

from evalsuite.errors import UnknownName, UsageError
from evalsuite.metrics.base import Answer, MeanMetric, Metric, Value, WeightedMetric

if __name__ == "metrics":
    raise ImportError("import evalsuite.metrics; 'metrics' would be a second copy of it")

METRICS: dict[str, str] = {
    "anls": "evalsuite.metrics.answers.anls:ANLS",
    "answer_log_likelihood": "evalsuite.metrics.probabilities.likelihood:AnswerLogLikelihood",
    "bleu": "evalsuite.metrics.captions.bleu:Bleu",
    "box_ap": "evalsuite.metrics.boxes.box_ap:BoxAP",
    "caption_length": "evalsuite.metrics.captions.length:CaptionLength",
    "cider": "evalsuite.metrics.captions.cider:Cider",
    "embedding_similarity": "evalsuite.metrics.answers.embedding_similarity:EmbeddingSimilarity",
    "exact_match": "evalsuite.metrics.answers.exact_match:ExactMatch",
    "grits_con": "evalsuite.metrics.tables.grits:GritsCon",
    "grits_loc": "evalsuite.metrics.tables.grits:GritsLoc",
    "grits_top": "evalsuite.metrics.tables.grits:GritsTop",
    "kern_error_rates": "evalsuite.metrics.music.kern:KernErrorRates",
    "mask_iou": "evalsuite.metrics.boxes.mask_iou:MaskIoU",
    "meteor": "evalsuite.metrics.captions.java:Meteor",
    "multiple_choice": "evalsuite.metrics.answers.multiple_choice:MultipleChoice",
    "non_entailment": "evalsuite.metrics.captions.non_entailment:NonEntailment",
    "number_words": "evalsuite.metrics.answers.number_words:NumberWords",
    "paired_accuracy": "evalsuite.metrics.answers.paired_accuracy:PairedAccuracy",
    "per_type_accuracy": "evalsuite.metrics.answers.per_type_accuracy:PerTypeAccuracy",
    "perplexity": "evalsuite.metrics.probabilities.likelihood:Perplexity",
    "radgraph_f1": "evalsuite.metrics.radiology.radgraph:RadGraphF1",
    "relaxed_accuracy": "evalsuite.metrics.answers.relaxed_accuracy:RelaxedAccuracy",
    "rouge_l": "evalsuite.metrics.captions.rouge:RougeL",
    "science_qa": "evalsuite.metrics.answers.science_qa:ScienceQA",
    "smiles_match": "evalsuite.metrics.molecules.smiles:SmilesMatch",
    "spice": "evalsuite.metrics.captions.java:Spice",
    "teds": "evalsuite.metrics.tables.teds:Teds",
    "teds_structure": "evalsuite.metrics.tables.teds:TedsStructure",
    "text_spotting": "evalsuite.metrics.boxes.text_spotting:TextSpotting",
    "textvqa": "evalsuite.metrics.answers.vqa:TextVqa",
    "toxicity": "evalsuite.metrics.safety.toxicity:Toxicity",
    "vizwiz": "evalsuite.metrics.answers.vizwiz:VizWiz",
    "vqa_soft": "evalsuite.metrics.answers.vqa_soft:VqaSoft",
    "vqa_v2": "evalsuite.metrics.answers.vqa:VqaV2",
    "wups": "evalsuite.metrics.answers.wups:Wups",
    "yes_no": "evalsuite.metrics.answers.yes_no:YesNo",
}
"""Every metric that ships: name -> module:class. Others join through the entry point group ``evalsuite.metrics``."""

ENTRY_POINTS = "evalsuite.metrics"

__all__ = [
    "METRICS",
    "Answer",
    "MeanMetric",
    "Metric",
    "Value",
    "WeightedMetric",
    "known_metrics",
    "load_metric",
    "metric_class",
]


def known_metrics() -> list[str]:
    """Names of all metrics, those of installed packages included."""
    return sorted({*METRICS, *(entry.name for entry in importlib.metadata.entry_points(group=ENTRY_POINTS))})


def metric_class(name: str) -> type[Metric]:
    """The class behind a metric's name. Raises UnknownName."""
    target = METRICS.get(name)
    if target is not None:
        module, _, attribute = target.partition(":")
        loaded: type[Metric] = getattr(importlib.import_module(module), attribute)
        return loaded
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS, name=name):
        return _from_package(entry)
    raise UnknownName("metric", name, known_metrics())


def _from_package(entry: importlib.metadata.EntryPoint) -> type[Metric]:
    package = entry.dist.name if entry.dist else entry.module
    try:
        loaded = entry.load()
    except Exception as error:  # another package's module may fail in any way
        raise UsageError(f"metric {entry.name!r} of package {package} cannot be loaded: {error!r}") from error
    if not (isinstance(loaded, type) and issubclass(loaded, Metric)):
        raise UsageError(f"metric {entry.name!r} of package {package}: {entry.value} is no subclass of Metric")
    return loaded


def load_metric(name: str, **parameters: Any) -> Metric:
    """The metric called ``name`` with these parameters.

    Raises UnknownName for a metric or parameter that does not exist, UsageError for a value it refuses.
    """
    cls = metric_class(name)
    fields = {f.name: f.default for f in dataclasses.fields(cls) if f.init and not f.name.startswith("_")}
    for parameter, value in parameters.items():
        if parameter not in fields:
            raise UnknownName(f"parameter of metric {name}", parameter, fields)
        default = fields[parameter]
        if isinstance(default, (bool, int, float)) and not _fits(value, default):
            kind = "true or false" if isinstance(default, bool) else "a number"
            raise UsageError(f"metric {name}: parameter {parameter} must be {kind}, not {value!r}")
    try:
        return cls(**parameters)
    except (TypeError, ValueError) as error:
        raise UsageError(f"metric {name}: {error}") from error


def _fits(value: Any, default: bool | int | float) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    return isinstance(value, (int, float))
