"""The parts of a task spec, each typed. ``task_specs/README.md`` explains every field with an example.

Specs hold names and numbers, never code. Unknown fields are refused, and no value is converted: text is not taken
for a number, nor a number for text.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

IDENTIFIER = r"^[a-z][a-z0-9_]*$"
HUB_ID = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*/[A-Za-z0-9_][A-Za-z0-9_.-]*$"
COMMIT = r"^[0-9a-f]{40}$"
SPLIT_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"

Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER, max_length=64)]
Expression = Annotated[str, Field(min_length=1, description="JMESPath expression over one record")]
Text = Annotated[str, StringConstraints(min_length=1)]
SplitName = Annotated[str, StringConstraints(pattern=SPLIT_NAME)]


class Model(BaseModel):
    """Frozen; unknown fields are refused and no value is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FieldOverrides(Model):
    """The same mapping as ``fields``, for one source whose columns differ.

    What is absent stays as in ``fields``; ``values`` and ``strata`` are merged name by name; ``explode: false``,
    ``where: false`` and ``video: false`` switch off what ``fields`` says.
    """

    explode: Expression | Literal[False] | None = Field(
        default=None, description="list inside the record; one example per item. false: a record is one example"
    )
    where: Expression | Literal[False] | None = Field(
        default=None, description="which records are examples. false: all of them"
    )
    id: Expression | None = Field(default=None, description="what names the example, unique in its split")
    images: list[Expression] | None = Field(default=None, description="images in the order the model sees them")
    video: Expression | Literal[False] | None = Field(
        default=None, description="clip the frames are taken from. false: there is none"
    )
    segment: Expression | None = Field(default=None, description="[start, end] of the clip in seconds")
    outline: Expression | None = Field(default=None, description="box that is drawn on the resized image")
    references: Expression | None = Field(default=None, description="list the metrics compare the answer with")
    values: dict[Identifier, Expression] | None = Field(default=None, description="texts for the prompt's placeholders")
    strata: dict[Identifier, Expression] | None = Field(default=None, description="groups that are reported separately")


class Lookup(Model):
    """A second table whose records are found by a key, such as the answers or the images of questions.

    A record sees the one it found under ``name``; ``name`` is null where there is none.
    """

    name: Identifier = Field(description="column under which the found record appears")
    on: Expression = Field(description="value of the record that is looked for")
    key: Expression = Field(description="value of the second table's records that it must equal, compared as text")


class HubLookup(Lookup):
    """A second table on the hub, at the same commit when it belongs to the same data set."""

    id: str | None = Field(default=None, pattern=HUB_ID, description="hub id. null: the same data set")
    config: str | None = Field(default=None, description="configuration, where there are several")
    revision: str | None = Field(default=None, pattern=COMMIT, description="commit, for another data set")
    splits: dict[str, str] = Field(default_factory=dict, description="split of the spec -> split of this table")


class FilesLookup(Lookup):
    """A second table in local files."""

    splits: dict[str, list[str]] = Field(min_length=1, description="split -> file names or globs below the folder")
    format: Identifier = Field(default="records", description="as data.files.format, for these files")


class HubSource(Model):
    """A data set on the Hugging Face hub."""

    id: str = Field(pattern=HUB_ID, description="hub id, owner/name")
    config: str | None = Field(default=None, description="configuration of the data set, where it has several")
    revision: str | None = Field(
        default=None,
        pattern=COMMIT,
        description="commit to load. null: the newest, resolved and recorded when a run is planned",
    )
    splits: dict[str, str] = Field(
        default_factory=dict, description="split of the spec -> split on the hub, where they differ"
    )
    lookups: list[HubLookup] = Field(default_factory=list, description="tables joined to the records by a key")
    fields: FieldOverrides | None = Field(default=None, description="mapping for these columns, where they differ")
    note: str | None = Field(default=None, description="what a user of this source should know")


class FilesSource(Model):
    """Local files: ``DIR/<task id>/<split>.jsonl|json|csv|parquet`` or the names given here."""

    format: Identifier = Field(
        default="records",
        description="records: one object per example in JSON Lines, JSON, CSV, TSV or Parquet; else a format of "
        "evalsuite.data.formats, such as coco_captions",
    )
    splits: dict[str, list[str]] = Field(
        default_factory=dict,
        description="split -> file names or globs below the folder; a record gets the column source_file, the name of "
        "its file without its ending",
    )
    split_column: str | None = Field(
        default=None, description="column that names each record's split, in files that hold several splits"
    )
    lookups: list[FilesLookup] = Field(default_factory=list, description="tables joined to the records by a key")
    images: str = Field(default="images", description="folder that relative image and video paths start from")
    fields: FieldOverrides | None = Field(default=None, description="mapping for these columns, where they differ")
    note: str | None = Field(default=None, description="where the files come from and what to do with them")


class SyntheticSource(Model):
    """The seeded scene world: records in the data set's real columns, rendered on the fly."""

    generator: Identifier = Field(description="name of a generator of evalsuite.data.synthetic")
    parameters: dict[str, int | float | str | bool] = Field(
        default_factory=dict, description="settings of the generator"
    )
    size: int = Field(default=32, ge=1, description="examples per split")


class DataSpec(Model):
    """Where the records come from; at least one of the three."""

    hub: HubSource | None = None
    files: FilesSource | None = None
    synthetic: SyntheticSource | None = None


class Fields(Model):
    """How a record's columns become an example. Every value is a JMESPath expression.

    It sees the record's columns and ``position`` (the record's place in its source, from 0). With ``explode``, a list
    inside the record, each of its items is one example: ``item`` is that item and ``index`` its place. Functions
    beyond JMESPath's own, such as ``text(x)`` and ``image_size(image)``, are in ``evalsuite/data/expressions.py``.
    """

    explode: Expression | None = Field(default=None, description="list inside the record; one example per item")
    where: Expression | None = Field(
        default=None, description="which records (items, with explode) are examples: those where it is true"
    )
    id: Expression = Field(description="what names the example, unique in its split")
    images: list[Expression] = Field(default_factory=list, description="images in the order the model sees them")
    video: Expression | None = Field(default=None, description="clip the frames are taken from")
    segment: Expression | None = Field(
        default=None, description="[start, end] in seconds; the frames are taken from this part of the clip"
    )
    outline: Expression | None = Field(
        default=None,
        description="[left, top, right, bottom] in shares of the image; a red box, one pixel wide, drawn there after "
        "the resize",
    )
    references: Expression = Field(description="list the metrics compare the answer with")
    values: dict[Identifier, Expression] = Field(
        default_factory=dict, description="texts for the prompt's placeholders"
    )
    strata: dict[Identifier, Expression] = Field(
        default_factory=dict, description="groups that are reported separately, such as question types"
    )

    def with_overrides(self, overrides: FieldOverrides | None) -> Fields:
        """This mapping as one source sees it."""
        if overrides is None:
            return self
        given = {name: getattr(overrides, name) for name in FieldOverrides.model_fields}
        changed = {name: value or None for name, value in given.items() if value is not None}
        for name in ("values", "strata"):
            if name in changed:
                changed[name] = {**getattr(self, name), **given[name]}
        return self.model_copy(update=changed)


class Prompt(Model):
    """What the model is asked."""

    prefix: str = Field(
        description="text with {value} placeholders from fields.values; the separating newline is added by the backend"
    )
    max_tokens: int | None = Field(
        default=None, ge=1, description="BOS + prefix + newline are cut from the right to this length. null: never cut"
    )


class Image(Model):
    """How pixels reach the model."""

    resize: Literal["stretch", "pad"] = Field(
        default="stretch",
        description="stretch: to a square, aspect ratio lost. pad: aspect ratio kept, filled with white",
    )
    antialias: bool = Field(default=True, description="widen the bilinear kernel when shrinking")
    truncate: bool = Field(default=True, description="cut resized values to uint8; video frames stay float")
    frames: int | None = Field(default=None, ge=1, description="frames of a clip")
    stride: int | None = Field(default=None, ge=1, description="take every stride-th frame, from frame 0")


class Decoding(Model):
    """How the answer is generated."""

    max_new_tokens: int = Field(ge=1, description="longest answer in tokens, end-of-sequence counted")
    beam_size: int = Field(default=1, ge=1, description="1 is greedy")
    forbidden_tokens: list[Text] = Field(
        default_factory=list,
        description="never chosen; their share stays in the log-probabilities. <eos> is the end-of-sequence token",
    )
    log_probabilities: bool = Field(default=False, description="the metrics need them, where the backend has them")


class Split(Model):
    """A split of the benchmark."""

    name: SplitName
    size: int | None = Field(default=None, ge=1, description="examples in the published split. null: not known")
    role: Literal["reported", "selection"] = Field(
        default="reported",
        description="reported: runs evaluate it. selection: for choosing hyper-parameters; evaluated on request",
    )


class PaperRow(Model):
    """A row of a published table that this task reproduces: a split, or one stratum of it."""

    name: Text = Field(description="label of the row, as printed")
    split: str = Field(description="one of splits")
    stratum: dict[Identifier, str] = Field(
        default_factory=dict, max_length=1, description="name of one of fields.strata -> its value; empty: whole split"
    )
    reference: Identifier = Field(default="paligemma2_table13", description="published table that holds the row")


class MetricUse(Model):
    """A metric and the protocol its number belongs to."""

    name: Identifier = Field(description="name of a metric, as `evalsuite metrics` lists them")
    parameters: dict[str, int | float | str | bool | list[str]] = Field(
        default_factory=dict, description="parameters of the metric that differ from its defaults"
    )
    protocol: Literal["paligemma", "official"] = Field(
        default="paligemma",
        description="paligemma: as the papers scored. official: the benchmark's own rule, where it differs",
    )
    headline: bool = Field(default=False, description="the number that stands for the task; exactly one metric")
    only: dict[Identifier, str] = Field(
        default_factory=dict,
        max_length=1,
        description="stratum -> value: the metric sees these examples alone, where a protocol leaves others out",
    )
    optional: bool = Field(
        default=False,
        description="used only when --metric-option gives it what it needs, such as human ratings or a model's weights",
    )
    corpus: Identifier | None = Field(
        default=None,
        description="stratum whose values are corpora of their own, such as languages, for document frequencies",
    )


class TaskFields(Model):
    """Everything that a spec says of one benchmark, each part by itself."""

    schema_version: Literal[1] = Field(default=1, description="version of this schema")
    id: Identifier = Field(description="name on the command line, in stores and in reports")
    version: int = Field(ge=1, description="raise it when a score could change")
    title: Text
    family: Identifier = Field(description="folder of the spec and `family:NAME` on the command line")
    description: Text = Field(description="what the benchmark asks, in a sentence or two")
    citation: Text = Field(description="authors, title, venue and year, with a link")
    license: Text = Field(description="of the data, as far as it is known")
    gating: str | None = Field(default=None, description="what to sign, and where to put the files")
    transfer: Identifier = Field(description="fine-tuning run whose checkpoint is evaluated; fills --model templates")
    splits: list[Split] = Field(min_length=1)
    rows: list[PaperRow] = Field(default_factory=list, description="rows of published tables")
    data: DataSpec
    fields: Fields
    prompt: Prompt
    image: Image = Image()
    decoding: Decoding
    parsing: list[Literal["strip", "lower", "first_line"]] = Field(
        default_factory=list, description="applied to the answer, in this order, before any metric sees it"
    )
    metrics: list[MetricUse] = Field(min_length=1)
    deviations: list[Text] = Field(
        default_factory=list, description="known differences from the published protocol, and choices it leaves open"
    )

    def headline(self, protocol: str = "paligemma") -> MetricUse:
        """The metric whose first value stands for the task.

        protocol: ``official`` takes the benchmark's own rule where the spec names one, and the same metric where the
        papers follow it anyway.
        """
        if protocol == "official":
            for metric in self.metrics:
                if metric.protocol == "official":
                    return metric
        return next(metric for metric in self.metrics if metric.headline)

    def reported(self) -> list[Split]:
        """The splits that a run evaluates unless told otherwise."""
        return [split for split in self.splits if split.role == "reported"]

    def paper_name(self) -> str:
        """Labels of the published rows, or the title where there are none."""
        return ", ".join(row.name for row in self.rows) or self.title
