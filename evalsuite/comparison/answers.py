"""The stored answers of one split, as comparisons need them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.metrics import Answer
from evalsuite.runs.folder import STORE
from evalsuite.runs.manifest import read_answered
from evalsuite.runs.store import PredictionStore
from evalsuite.scoring.marks import marks_of
from evalsuite.scoring.reading import answer_of
from evalsuite.scoring.run import spec_of
from evalsuite.settings.recorded import recorded_config
from evalsuite.settings.run import RunConfig
from evalsuite.specs.overrides import with_metric_options
from evalsuite.specs.schema import TaskSpec
from evalsuite.types import JsonValue, Prediction

if TYPE_CHECKING:
    from evalsuite.data import TaskData
    from evalsuite.specs import TaskRegistry


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """One example with its answer.

    content: digest of what was asked and what is right, the same in every run. marks: as of
    :func:`evalsuite.scoring.marks.marks_of`.
    """

    id: str
    content: str
    answer: Answer
    references: Sequence[JsonValue]
    strata: Mapping[str, str]
    marks: int = 0


@dataclass(frozen=True)
class RunAnswers:
    """A run that was opened for comparison."""

    folder: Path
    manifest: Mapping[str, Any]
    registry: TaskRegistry | None = None

    @classmethod
    def open(cls, folder: Path, registry: TaskRegistry | None = None) -> RunAnswers:
        """Raises StoreError when the folder holds no run or one without answers, or its store is damaged."""
        manifest = read_answered(folder)
        if (folder / STORE).exists():
            with PredictionStore(folder / STORE, read_only=True) as store:
                store.verify()
        return cls(folder, manifest, registry)

    @property
    def name(self) -> str:
        return str(self.manifest["name"])

    @cached_property
    def asked(self) -> RunConfig:
        """What the run was asked to do. Raises StoreError."""
        return recorded_config(self.manifest)

    def tasks(self) -> list[str]:
        return list(self.manifest["tasks"])

    def spec(self, task: str) -> TaskSpec:
        """The spec that the task is scored by, with the run's own metric parameters."""
        spec = spec_of(task, self.manifest["tasks"][task], self.registry)
        return with_metric_options(spec, self.asked.metric_options)

    def kept_spec(self, task: str) -> Mapping[str, Any]:
        """The spec as it was when the answers were made."""
        spec: Mapping[str, Any] = self.manifest["tasks"][task]["spec"]
        return spec

    def splits(self, task: str) -> list[str]:
        """Splits of the task that have stored answers, in the spec's order."""
        stops = self.manifest["tasks"][task]["stops"]
        with PredictionStore(self.folder / STORE, read_only=True) as store:
            names = [split.name for split in self.spec(task).splits]
            return [name for name in names if store.count(task, name, stops.get(name)).stored]

    def data(self, task: str) -> TaskData:
        """The data that the task was asked about. Raises EvalsuiteError or ValueError when they cannot be opened."""
        from evalsuite.data import open_task_data

        spec, asked = TaskSpec.model_validate(self.kept_spec(task)), self.asked
        return open_task_data(spec, asked.data, data_dir=asked.data_dir, seed=asked.data_seed, scale=asked.data_scale)

    def answers(self, task: str, split: str) -> list[StoredAnswer]:
        """All examples of the split that can be scored, in data set order; a failed one is an empty answer."""
        spec, stop = self.spec(task), self.manifest["tasks"][task]["stops"].get(split)
        with PredictionStore(self.folder / STORE, read_only=True) as store:
            return [_stored(item, spec) for item in store.read(task, split, stop) if item.references is not None]


def content_digest(prompt: str, references: Sequence[JsonValue]) -> str:
    """16 hexadecimal digits of what was asked and what is right; ids, positions and order of keys do not count."""
    text = json.dumps([prompt, list(references)], sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _stored(item: Prediction, spec: TaskSpec) -> StoredAnswer:
    references = item.references or []
    content = content_digest(item.prompt, references)
    answer = answer_of(item, spec)
    marks = marks_of(item, answer.text, spec.decoding.max_new_tokens)
    return StoredAnswer(item.key.id, content, answer, references, item.strata, marks)
