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
    "anls": "evalsuite.metrics.anls:ANLS",
    "answer_log_likelihood": "evalsuite.metrics.likelihood:AnswerLogLikelihood",
    "bleu": "evalsuite.metrics.bleu:Bleu",
    "box_ap": "evalsuite.metrics.box_ap:BoxAP",
    "caption_length": "evalsuite.metrics.caption_length:CaptionLength",
    "cider": "evalsuite.metrics.cider:Cider",
    "embedding_similarity": "evalsuite.metrics.embedding_similarity:EmbeddingSimilarity",
    "exact_match": "evalsuite.metrics.exact_match:ExactMatch",
    "grits_con": "evalsuite.metrics.grits:GritsCon",
    "grits_loc": "evalsuite.metrics.grits:GritsLoc",
    "grits_top": "evalsuite.metrics.grits:GritsTop",
    "kern_error_rates": "evalsuite.metrics.kern:KernErrorRates",
    "mask_iou": "evalsuite.metrics.mask_iou:MaskIoU",
    "meteor": "evalsuite.metrics.java_captions:Meteor",
    "multiple_choice": "evalsuite.metrics.multiple_choice:MultipleChoice",
    "non_entailment": "evalsuite.metrics.non_entailment:NonEntailment",
    "number_words": "evalsuite.metrics.number_words:NumberWords",
    "paired_accuracy": "evalsuite.metrics.paired_accuracy:PairedAccuracy",
    "per_type_accuracy": "evalsuite.metrics.per_type_accuracy:PerTypeAccuracy",
    "perplexity": "evalsuite.metrics.likelihood:Perplexity",
    "radgraph_f1": "evalsuite.metrics.radgraph:RadGraphF1",
    "relaxed_accuracy": "evalsuite.metrics.relaxed_accuracy:RelaxedAccuracy",
    "rouge_l": "evalsuite.metrics.rouge:RougeL",
    "science_qa": "evalsuite.metrics.science_qa:ScienceQA",
    "smiles_match": "evalsuite.metrics.smiles:SmilesMatch",
    "spice": "evalsuite.metrics.java_captions:Spice",
    "teds": "evalsuite.metrics.teds:Teds",
    "teds_structure": "evalsuite.metrics.teds:TedsStructure",
    "text_spotting": "evalsuite.metrics.text_spotting:TextSpotting",
    "textvqa": "evalsuite.metrics.vqa:TextVqa",
    "toxicity": "evalsuite.metrics.toxicity:Toxicity",
    "vizwiz": "evalsuite.metrics.vizwiz:VizWiz",
    "vqa_soft": "evalsuite.metrics.vqa_soft:VqaSoft",
    "vqa_v2": "evalsuite.metrics.vqa:VqaV2",
    "wups": "evalsuite.metrics.wups:Wups",
    "yes_no": "evalsuite.metrics.yes_no:YesNo",
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
