"""Rules of a task spec that span several fields: what one part names must exist in another.

Each rule yields ``(place, message)``; the loader turns the place into a line of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from evalsuite.errors import did_you_mean
from evalsuite.files.places import Problem
from evalsuite.specs.parts import TaskFields
from evalsuite.specs.templates import PLACEHOLDER, placeholders


def inconsistencies(spec: TaskFields) -> list[Problem]:
    """Everything in a spec, complete in itself, that contradicts another part of it."""
    return [*_splits(spec), *_rows(spec), *_prompt(spec), *_visuals(spec), *_decoding(spec), *_metrics(spec)]


def _splits(spec: TaskFields) -> Iterator[Problem]:
    names: list[str] = []
    for i, split in enumerate(spec.splits):
        if split.name in names:
            yield ("splits", i, "name"), f"split {split.name!r} is listed twice"
        names.append(split.name)
    if not spec.reported():
        yield ("splits",), "one of the splits must have the role reported"
    for source in ("hub", "files"):
        given = getattr(spec.data, source)
        for name in getattr(given, "splits", {}):
            if name not in names:
                yield ("data", source, "splits", name), _unknown("split", name, names)
        for i, lookup in enumerate(getattr(given, "lookups", ())):
            for name in lookup.splits:
                if name not in names:
                    yield ("data", source, "lookups", i, "splits", name), _unknown("split", name, names)
            for name in [] if source == "hub" else names:
                if name not in lookup.splits:
                    yield ("data", source, "lookups", i, "splits"), f"split {name!r} has no files"


def _rows(spec: TaskFields) -> Iterator[Problem]:
    names, seen = [split.name for split in spec.splits], set()
    strata = set(spec.fields.strata)
    for i, row in enumerate(spec.rows):
        if row.split not in names:
            yield ("rows", i, "split"), _unknown("split", row.split, names)
        for stratum in row.stratum:
            if stratum not in strata:
                yield ("rows", i, "stratum", stratum), _unknown("stratum", stratum, strata, "fields.strata")
        if (row.reference, row.name) in seen:
            yield ("rows", i, "name"), f"row {row.name!r} of {row.reference} is listed twice"
        seen.add((row.reference, row.name))


def _prompt(spec: TaskFields) -> Iterator[Problem]:
    prefix = spec.prompt.prefix
    for name in dict.fromkeys(placeholders(prefix)):
        if name not in spec.fields.values:
            yield ("prompt", "prefix"), _unknown("placeholder", name, spec.fields.values, "fields.values")
    if set("{}") & set(PLACEHOLDER.sub("", prefix)):
        yield ("prompt", "prefix"), "a brace must enclose the name of a value, as in {question}"


def _visuals(spec: TaskFields) -> Iterator[Problem]:
    image, data = spec.image, spec.data
    if not (data.hub or data.files or data.synthetic):
        yield ("data",), "at least one of hub, files, synthetic must be given"
    overrides = [source.fields for source in (data.hub, data.files) if source and source.fields]
    mappings = [spec.fields, *map(spec.fields.with_overrides, overrides)]
    clip = any(mapping.video for mapping in mappings)
    for name, value in (("frames", image.frames), ("stride", image.stride)):
        if clip and value is None:
            yield ("image", name), "must be given for a video task"
        if value is not None and not clip:
            yield ("image", name), "is for video tasks only: fields.video is not given"


def _decoding(spec: TaskFields) -> Iterator[Problem]:
    if spec.decoding.forbidden_tokens and spec.decoding.beam_size > 1:
        yield ("decoding", "forbidden_tokens"), "are for greedy decoding; beam_size must be 1"


def _metrics(spec: TaskFields) -> Iterator[Problem]:
    headlines = [i for i, metric in enumerate(spec.metrics) if metric.headline]
    if not headlines:
        yield ("metrics",), "one of the metrics must be marked headline: true"
    for i in headlines:
        if spec.metrics[i].optional:
            yield ("metrics", i, "optional"), "the headline must be there in every run"
    for i in headlines[1:]:
        yield ("metrics", i, "headline"), f"metrics[{headlines[0]}] is the headline already; only one can be"
    seen: list[tuple[object, ...]] = []
    for i, metric in enumerate(spec.metrics):
        use = (metric.name, metric.parameters, metric.protocol, metric.only)
        if use in seen:
            yield ("metrics", i), f"the same as metrics[{seen.index(use)}]"
        seen.append(use)
        if metric.corpus is not None and metric.corpus not in spec.fields.strata:
            yield ("metrics", i, "corpus"), _unknown("stratum", metric.corpus, spec.fields.strata, "fields.strata")
        for name in metric.only:
            if name not in spec.fields.strata:
                yield ("metrics", i, "only", name), _unknown("stratum", name, spec.fields.strata, "fields.strata")


def _unknown(kind: str, name: str, known: Iterable[str], where: str = "") -> str:
    place = f" in {where}" if where else ""
    return f"unknown {kind} {name!r}{place}. {did_you_mean(name, known)}"
