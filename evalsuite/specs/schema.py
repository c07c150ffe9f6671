"""The typed schema of a task spec. ``task_specs/README.md`` explains every field with an example.

Specs hold names and numbers, never code. Unknown fields are refused. Text that looks like another type must be
quoted (YAML reads ``no`` as a boolean), so the models are strict.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

SCHEMA_VERSION = 1

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Expression = Annotated[str, Field(min_length=1, description="JMESPath expression over one record")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class HubSource(_Model):
    """A data set on the Hugging Face hub."""

    id: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="hub id, owner/name")
    config: str | None = None
    revision: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{40}$",
        description="commit to load. None: the newest, resolved and recorded when a run is planned",
    )
    splits: dict[str, str] = Field(default_factory=dict, description="split of the spec -> split on the hub, where they differ")
    fields: FieldOverrides | None = None
    note: str | None = None


class FilesSource(_Model):
    """Local files: ``DIR/<task id>/<split>.jsonl|json|csv|parquet`` or the names given here."""

    format: Literal["records", "coco_captions"] = "records"
    splits: dict[str, list[str]] = Field(default_factory=dict, description="split -> file names or globs below the folder")
    images: str = Field("images", description="folder that relative image and video paths start from")
    fields: FieldOverrides | None = None
    note: str | None = None


class SyntheticSource(_Model):
    """The seeded scene world: records in the data set's real columns, rendered on the fly."""

    generator: Identifier
    parameters: dict[str, int | float | str | bool] = Field(default_factory=dict)
    size: int = Field(32, ge=1, description="examples per split")


class DataSpec(_Model):
    hub: HubSource | None = None
    files: FilesSource | None = None
    synthetic: SyntheticSource | None = None

    @model_validator(mode="after")
    def _one_at_least(self) -> DataSpec:
        if not (self.hub or self.files or self.synthetic):
            raise ValueError("at least one of hub, files, synthetic must be given")
        return self


class FieldOverrides(_Model):
    """The same mapping as ``fields``, for one source whose columns differ. What is absent stays as in ``fields``."""

    explode: Expression | None = None
    id: Expression | None = None
    images: list[Expression] | None = None
    video: Expression | None = None
    references: Expression | None = None
    values: dict[Identifier, Expression] | None = None
    strata: dict[Identifier, Expression] | None = None


class Fields(_Model):
    """How a record's columns become an example. Every value is a JMESPath expression.

    explode: a list inside the record; one example per item. Inside the other expressions ``item`` is that item and
        ``index`` its place.
    """

    explode: Expression | None = None
    id: Expression
    images: list[Expression] = Field(default_factory=list)
    video: Expression | None = None
    references: Expression
    values: dict[Identifier, Expression] = Field(default_factory=dict)
    strata: dict[Identifier, Expression] = Field(default_factory=dict)

    def with_overrides(self, overrides: FieldOverrides | None) -> Fields:
        changed = overrides.model_dump(exclude_none=True) if overrides else {}
        return self.model_copy(update=changed)


class Prompt(_Model):
    """prefix: text with ``{value}`` placeholders. The separating newline is added by the backend, not here."""

    prefix: str
    max_tokens: int | None = Field(None, ge=1, description="BOS + prefix + newline are cut from the right to this length")


class Image(_Model):
    """How pixels reach the model."""

    resize: Literal["stretch", "pad"] = "stretch"
    antialias: bool = True
    truncate: bool = Field(True, description="cut resized values to uint8; video frames stay float")
    frames: int | None = Field(None, ge=1, description="frames of a clip")
    stride: int | None = Field(None, ge=1, description="take every stride-th frame, from frame 0")


class Decoding(_Model):
    max_new_tokens: int = Field(ge=1, description="end-of-sequence counted")
    beam_size: int = Field(1, ge=1, description="1 is greedy")


class Split(_Model):
    name: Annotated[str, StringConstraints(pattern=r"^[\w.-]+$")]
    size: int | None = Field(None, ge=1, description="examples in the published split")


class PaperRow(_Model):
    """A row of a published table that this task reproduces: a split, or one stratum of it."""

    name: str
    split: str
    stratum: dict[Identifier, str] = Field(default_factory=dict, max_length=1)
    reference: str = Field("paligemma2_table13", description="published table that holds the row")


class MetricUse(_Model):
    name: str
    parameters: dict[str, int | float | str | bool] = Field(default_factory=dict)
    protocol: Literal["paligemma", "official"] = "paligemma"
    headline: bool = False


class TaskSpec(_Model):
    """One benchmark. Adding one whose metric exists is one YAML file and no Python."""

    schema_version: Literal[1] = SCHEMA_VERSION
    id: Identifier
    version: int = Field(ge=1, description="raise it when a score could change")
    title: str
    family: Identifier
    description: str
    citation: str
    license: str
    gating: str | None = Field(None, description="what to sign, and where to put the files")
    transfer: Identifier = Field(description="fine-tuning run whose checkpoint is evaluated; used by --model templates")
    splits: list[Split] = Field(min_length=1)
    rows: list[PaperRow] = Field(default_factory=list)
    data: DataSpec
    fields: Fields
    prompt: Prompt
    image: Image = Image()
    decoding: Decoding
    parsing: list[Literal["strip", "lower", "first_line"]] = Field(default_factory=list)
    metrics: list[MetricUse] = Field(min_length=1)
    deviations: list[str] = Field(default_factory=list, description="known differences from the published protocol")

    @model_validator(mode="after")
    def _consistent(self) -> TaskSpec:
        names = [split.name for split in self.splits]
        if len(set(names)) != len(names):
            raise ValueError("splits: two splits have the same name")
        for row in self.rows:
            if row.split not in names:
                raise ValueError(f"rows: {row.name!r} names split {row.split!r}, which is not in splits")
            unknown = set(row.stratum) - set(self.fields.strata)
            if unknown:
                raise ValueError(f"rows: {row.name!r} names stratum {unknown.pop()!r}, which is not in fields.strata")
        if sum(metric.headline for metric in self.metrics) != 1:
            raise ValueError("metrics: exactly one must be marked headline: true")
        missing = set(placeholders(self.prompt.prefix)) - set(self.fields.values)
        if missing:
            raise ValueError(f"prompt.prefix: {{{missing.pop()}}} is not in fields.values")
        if self.fields.video and not self.image.frames:
            raise ValueError("image.frames: must be given for a video task")
        return self

    def paper_name(self) -> str:
        return ", ".join(row.name for row in self.rows) or self.title


_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def placeholders(prefix: str) -> list[str]:
    """Names in braces of a prompt prefix.

    >>> placeholders("answer en {question}")
    ['question']
    """
    return _PLACEHOLDER.findall(prefix)


def fill(prefix: str, values: dict[str, str]) -> str:
    """The prefix with its placeholders replaced; braces inside values are left alone.

    >>> fill("answer en {question}", {"question": "a {b}?"})
    'answer en a {b}?'
    """
    return _PLACEHOLDER.sub(lambda match: values[match.group(1)], prefix)
