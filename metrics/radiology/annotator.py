"""Entities and relations of radiology reports from the ``radgraph`` package, with weights from a local folder."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import importlib.util
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalsuite.errors import BackendError, MissingDependency, ScoringError, UsageError
from evalsuite.metrics.shared.side_files import read_records

MODELS = ("radgraph", "radgraph-xl", "modern-radgraph-xl", "echograph")
LONGEST = 1000
"""Words of a report that are annotated: the package's memory grows with the square, officially without bound."""

_FILES = ("config.json", "vocabulary", "weights.th")


def check_weights(weights: str, model_type: str) -> None:
    """Raises UsageError for a folder without the files of an unpacked model, MissingDependency without the package."""
    folder = Path(weights) / model_type
    absent = [name for name in _FILES if not (folder / name).exists()]
    if absent:
        raise UsageError(
            f"metric radgraph_f1: {folder} lacks {', '.join(absent)}. Unpack {model_type}.tar.gz of the hub repository "
            "StanfordAIMI/RRG_scorers there"
        )
    for package in ("radgraph", "torch"):
        if importlib.util.find_spec(package) is None:
            raise MissingDependency("metric radgraph_f1", package, extra="radgraph")


@functools.lru_cache(4)
def describe_weights(weights: str, model_type: str) -> str:
    """What a signature says of the weights: the start of the SHA-256 of ``weights.th``."""
    try:
        with open(Path(weights) / model_type / "weights.th", "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:12]
    except OSError:
        return "(missing)"


class Annotator:
    """Annotates every distinct report once; loaded on first use, with a cache file where one is given."""

    def __init__(self, weights: str, model_type: str, cache: str) -> None:
        self.weights, self.model_type, self.cache = weights, model_type, cache
        self.model = f"{model_type}({describe_weights(weights, model_type)})"
        self._known: dict[str, Mapping[str, Any]] = {}
        if cache and Path(cache).exists():
            for _, record in read_records(cache, "text"):
                if record.get("model") == self.model:
                    self._known[record["text"]] = record["entities"]

    def entities(self, reports: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Report -> entities, for all of these reports and others seen before.

        Raises BackendError when the model cannot be loaded, ScoringError for a report that it fails on.
        """
        new = [report for report in dict.fromkeys(reports) if report not in self._known]
        if new:
            with contextlib.redirect_stdout(io.StringIO()):  # the package prints
                found = self._load()([shortened(report) for report in new])
            for place, report in enumerate(new):
                if str(place) not in found:
                    raise ScoringError(f"radgraph_f1: the radgraph package failed on the report {report!r:.80}")
                self._known[report] = found[str(place)]["entities"]
            self._write(new)
        return self._known

    def _write(self, reports: Sequence[str]) -> None:
        if not self.cache:
            return
        with open(self.cache, "a", encoding="utf-8") as file:
            for report in reports:
                record = {"text": report, "model": self.model, "entities": self._known[report]}
                file.write(json.dumps(record) + "\n")

    @functools.cached_property
    def _package_model(self) -> Any:
        package = importlib.import_module("radgraph")
        _adapt_tokenizers()
        try:
            return package.RadGraph(model_type=self.model_type, model_cache_dir=self.weights)
        except Exception as error:  # anything that a broken or incomplete folder may cause inside the package
            raise BackendError(
                f"RadGraph cannot be loaded from {Path(self.weights) / self.model_type}: {error}. The encoder that its "
                "config.json names as model_name must be a local folder or be in the Hugging Face cache"
            ) from error

    def _load(self) -> Any:
        check_weights(self.weights, self.model_type)
        return self._package_model


def is_oversized(report: str) -> bool:
    """Whether the package gets only the beginning of this report."""
    return len(report.split(maxsplit=LONGEST)) > LONGEST


def shortened(report: str) -> str:
    """The report as it is, or the first LONGEST words of one that is oversized."""
    return " ".join(report.split(maxsplit=LONGEST)[:LONGEST]) if is_oversized(report) else report


@functools.lru_cache(2)
def shared_annotator(weights: str, model_type: str, cache: str) -> Annotator:
    """The annotator with these settings, one per process."""
    return Annotator(weights, model_type, cache)


def _adapt_tokenizers() -> None:
    """Give transformers 5 tokenizers the three methods of version 4 that the radgraph package calls."""
    from transformers import PreTrainedTokenizerBase

    def encode_plus(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self(*args, **kwargs)

    def build_inputs_with_special_tokens(self: Any, first: list[int], second: list[int] | None = None) -> list[int]:
        start, end = [self.cls_token_id], [self.sep_token_id]
        return start + first + end + (second + end if second is not None else [])

    def create_token_type_ids_from_sequences(self: Any, first: list[int], second: list[int] | None = None) -> list[int]:
        return [0] * (len(first) + 2) + ([1] * (len(second) + 1) if second is not None else [])

    for method in (encode_plus, build_inputs_with_special_tokens, create_token_type_ids_from_sequences):
        if not hasattr(PreTrainedTokenizerBase, method.__name__):
            setattr(PreTrainedTokenizerBase, method.__name__, method)
