"""docs/tasks.md: every task as its spec fixes it, with the papers' numbers, so that text and specs cannot disagree.

python -m evalsuite.documentation.tasks > docs/tasks.md
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evalsuite.errors import DataError
from evalsuite.inspection.visible import visible
from evalsuite.metrics import metric_class
from evalsuite.reports.published import Published, has_table, published_values
from evalsuite.specs import TaskRegistry
from evalsuite.specs.groups import GroupRow, GroupSpec
from evalsuite.specs.parts import PaperRow, Split
from evalsuite.specs.schema import TaskSpec

INTRODUCTION = """
# Tasks

What every task asks, of what, and how its answer is scored, as the specs in `task_specs/` fix it.
`evalsuite tasks show ID` prints a spec whole, `evalsuite data preview ID` shows examples.

- **Prompt**: as the model gets it, before the separating newline. `·` is a space that is easily overlooked (at an edge
  or beside another one), `{…}` a value of the example. "cut at n": BOS, prompt and newline are cut to n tokens.
- **Splits**: with the published number of examples, "?" where none is known; *selection*: for choosing
  hyper-parameters, evaluated on request.
- **Headline metric**: as the papers score; the benchmark's own rule stands behind it where it differs
  (`--protocol official`).
- **Answer**: longest answer in tokens, end-of-sequence counted; greedy unless a beam width is given.
- **Images**: *stretch* resizes to a square, *pad* keeps the aspect ratio and fills with white; always bilinear, with or
  without antialiasing. Values are cut to whole numbers after the resize unless *float* is said.
- **Paper**: what PaliGemma 2 3B reached at 224 / 448 / 896 pixels, else the nearest model that is printed; "–" where
  no published table that ships with evalsuite has the row.
- **Data**: where it comes from. All tasks with *synthetic* run offline. What to sign, where to put files, and
  deviations that are known stand below each table.
"""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A benchmark of the papers that is no task here, and why. unless: part of the id of a task that would be it."""

    name: str
    why: str
    unless: tuple[str, ...] = ()


LEFT_OUT = (
    LeftOut(
        "ImageNet fine-tuned, ImageNet-v2, ImageNet ReaL (PaLI-3)",
        "Top-1 accuracy of a classifier that is trained on the image encoder alone; no text is generated.",
    ),
    LeftOut(
        "ImageNet zero-shot (PaLI-3)",
        "Contrastive encoders compare an image with the names of the classes; a generative model has no text encoder "
        "to do that with.",
    ),
    LeftOut(
        "Few-shot linear probing (PaLI-3)",
        "A linear regression on frozen features of the image encoder; it measures features, not answers.",
    ),
    LeftOut(
        "XM3600 retrieval, image to text and text to image (PaLI-3)",
        "Recall at 1 by similarity of contrastive embeddings; a generative model gives no such embeddings.",
    ),
    LeftOut(
        "Text-rich tasks with external OCR (PaLI-3)",
        "The prompt holds the output of an OCR system that is not published; the same benchmarks are tasks without it.",
    ),
    LeftOut(
        "VQAv2 test-dev and test-std, DocVQA test, InfographicVQA test, VizWiz test, ST-VQA test",
        "The answers are withheld, and a server of the benchmark scores what is sent in; "
        "the validation splits are tasks.",
    ),
    LeftOut(
        "Spoken Moments in Time captions (PaLI-3)",
        "Videos and captions are given on request only, and neither prompt nor split is published.",
        ("smit", "s_mit", "spoken_moments"),
    ),
)

MOST_SPLITS = 6
MOST_ROWS = 4


def tasks_page(registry: TaskRegistry | None = None) -> str:
    """The page: a table for each family with a row for each task and average, notes below it, what is left out."""
    registry = registry or TaskRegistry(plugins=False)
    specs, groups = registry.select("all"), registry.groups()
    families = sorted({spec.family for spec in specs})
    parts = [INTRODUCTION.strip("\n"), f"{len(specs)} tasks, {len(groups)} averages over them."]
    for family in families:
        members = [spec for spec in specs if spec.family == family]
        averages = [group for group in groups if group.family == family]
        parts.append(f"## {_title(family)}")
        parts.append("\n".join([*_table(members), *map(_group_row, averages)]))
        parts += [_notes(spec) for spec in members]
        parts += [_group_notes(group) for group in averages]
    parts.append("\n".join(_left_out(spec.id for spec in specs)))
    return "\n\n".join(parts) + "\n"


def _title(family: str) -> str:
    return "VQA" if family == "vqa" else family.replace("_", " ").capitalize()


_COLUMNS = ("Task", "Prompt", "Splits", "Headline metric", "Answer", "Images", "Paper", "Data", "Licence")


def _table(specs: Sequence[TaskSpec]) -> Iterator[str]:
    yield _row(_COLUMNS)
    yield "|---" * len(_COLUMNS) + "|"
    for spec in specs:
        yield _row(
            [
                f"[`{spec.id}`](#{spec.id})",
                _prompt(spec),
                _splits(spec.splits),
                _headline(spec),
                _answer(spec),
                _images(spec),
                _paper(spec.rows, spec.headline().name),
                _data(spec),
                spec.license + (" (**gated**)" if spec.gating else ""),
            ]
        )


def _group_row(group: GroupSpec) -> str:
    members = "; ".join(f"{len(member.splits)} of `{member.task}`" for member in group.members)
    average = [f"[`{group.id}`](#{group.id})", "", f"average: {members}", "mean"]
    return _row([*average, "", "", _paper(group.rows, None), "", ""])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _prompt(spec: TaskSpec) -> str:
    prefix = spec.prompt.prefix
    shown = _code(visible(prefix)) if prefix else "(empty)"
    return shown + (f"<br>cut at {spec.prompt.max_tokens}" if spec.prompt.max_tokens else "")


def _code(text: str) -> str:
    """As code, in fences long enough for backquotes inside."""
    fence = "`"
    while fence in text:
        fence += "`"
    return f"{fence}{text}{fence}" if fence == "`" else f"{fence} {text} {fence}"


def _splits(splits: Sequence[Split]) -> str:
    shown = [_split(split) for split in splits]
    if len(shown) <= MOST_SPLITS:
        return ", ".join(shown)
    sizes = {split.size for split in splits}
    each = f", {next(iter(sizes)):,} each" if len(sizes) == 1 and None not in sizes else ""
    names = ", ".join(split.name for split in splits) if each else ", ".join(shown)
    return f"{len(splits)} splits{each}: {names}"


def _split(split: Split) -> str:
    size = "?" if split.size is None else f"{split.size:,}"
    return f"{split.name} ({size}{', *selection*' if split.role == 'selection' else ''})"


def _headline(spec: TaskSpec) -> str:
    paper, official = spec.headline(), spec.headline("official")
    first = _metric(paper.name, paper.parameters)
    return first if official == paper else f"{first}<br>official: {_metric(official.name, official.parameters)}"


def _metric(name: str, parameters: Mapping[str, object]) -> str:
    chosen = ", ".join(f"{key} {value}" for key, value in parameters.items())
    return f"[`{name}`](metrics.md#{name})" + (f" ({chosen})" if chosen else "")


def _answer(spec: TaskSpec) -> str:
    decoding = spec.decoding
    parts = [str(decoding.max_new_tokens)]
    if decoding.beam_size > 1:
        parts.append(f"beam {decoding.beam_size}")
    if decoding.forbidden_tokens:
        parts.append("never " + ", ".join(map(_code, decoding.forbidden_tokens)))
    return ", ".join(parts)


def _images(spec: TaskSpec) -> str:
    image, count = spec.image, len(spec.fields.images)
    if not count and not spec.fields.video:
        return "none"
    parts = [f"{count} images"] if count > 1 else []
    if spec.fields.video:
        parts.append(f"{image.frames} frames, stride {image.stride}")
    parts += [image.resize, "antialias" if image.antialias else "no antialias"]
    parts += [] if image.truncate else ["float"]
    parts += ["red outline after the resize"] if spec.fields.outline else []
    return ", ".join(parts)


def _data(spec: TaskSpec) -> str:
    hub = spec.data.hub
    kinds = []
    if hub is not None:
        config = f" ({hub.config})" if hub.config else ""
        kinds.append(f"hub `{hub.id}`{config}{', pinned' if hub.revision else ''}")
    if spec.data.files is not None:
        kinds.append("files")
    if spec.data.synthetic is not None:
        kinds.append("synthetic")
    return ", ".join(kinds)


# --- published values ------------------------------------------------------------------------------------------------


def _paper(rows: Sequence[PaperRow | GroupRow], metric: str | None) -> str:
    """What the papers print for these rows. metric: name of the headline metric; None: that of the table."""
    shown = [_published(row.name, row.reference, metric) for row in rows]
    lines = [f"{row.name}: {value}" for row, value in zip(rows, shown, strict=True) if value]
    if not lines:
        return "–"
    left = len(lines) - MOST_ROWS
    return "<br>".join(lines if left <= 1 else [*lines[:MOST_ROWS], f"and {left} more rows"])


def _published(name: str, reference: str, metric: str | None) -> str:
    """The cells of the model that is nearest to PaliGemma 2 3B, by resolution."""
    cells = _cells(name, reference, metric)
    if not cells:
        return ""
    best = min(cells, key=_distance)
    same = [cell for cell in cells if (cell.model, cell.size) == (best.model, best.size)]
    by_resolution = {cell.resolution: cell for cell in reversed(same)}
    chosen = [by_resolution[pixels] for pixels in sorted(by_resolution, key=lambda pixels: pixels or 0)]
    values = " / ".join(f"{cell.value}" for cell in chosen)
    pixels = " / ".join(str(cell.resolution) for cell in chosen if cell.resolution)
    standard = (best.model, best.size) == ("PaliGemma 2", "3B") and pixels in ("224 / 448", "224 / 448 / 896")
    model = " ".join(filter(None, [best.model, best.size, f"{pixels}px" if pixels else ""]))
    return values if standard else f"{values} ({model})"


def _cells(name: str, reference: str, metric: str | None) -> list[Published]:
    """PaliGemma's cells of a row; where the metric's values have several names, those of the first that is printed."""
    if not has_table(reference):
        return []
    names = [value.name for value in metric_class(metric).values] if metric else _AVERAGED
    for value in names:
        try:
            found = published_values(reference, name, value)
        except DataError:  # a table that holds no benchmark scores
            return []
        cells = [cell for cell in found if cell.model.startswith("PaliGemma")]
        if cells:
            return cells
    return []


_AVERAGED = ("accuracy", "cider", "miou", "anls", "relaxed_accuracy")
"""Values that papers average over splits."""


def _distance(cell: Published) -> tuple[bool, bool, int]:
    return cell.model != "PaliGemma 2", cell.size != "3B", cell.resolution or 0


# --- below the tables ------------------------------------------------------------------------------------------------


def _notes(spec: TaskSpec) -> str:
    """A section with what does not fit into the row: how to obtain the data, and deviations."""
    lines = [f"### {spec.id}", "", f"{spec.title}. {spec.description} Transfer `{spec.transfer}`. {spec.citation}", ""]
    if spec.gating:
        lines.append(f"- To obtain: {spec.gating}")
    for kind in ("hub", "files"):
        source = getattr(spec.data, kind)
        if source is not None and source.note:
            lines.append(f"- {kind.capitalize()}: {source.note}")
    lines += [f"- Deviation: {text}" for text in spec.deviations]
    return _plain(lines)


def _group_notes(group: GroupSpec) -> str:
    lines = [f"### {group.id}", "", f"{group.title}. {group.description}", ""]
    lines += [f"- Deviation: {text}" for text in group.deviations]
    return _plain(lines)


def _plain(lines: Sequence[str]) -> str:
    """Markdown in which ``<`` and ``*`` stand for themselves."""
    return "\n".join(line.replace("<", r"\<").replace("*", r"\*") for line in lines).rstrip()


def left_out(ids: Iterable[str]) -> list[LeftOut]:
    """What is left out of a suite with tasks of these ids."""
    known = list(ids)
    return [one for one in LEFT_OUT if not any(part in id for part in one.unless for id in known)]


def _left_out(ids: Iterable[str]) -> Iterator[str]:
    yield "## Left out"
    yield ""
    yield "Benchmarks of the papers that a model which writes text cannot answer, or that are not public:"
    yield ""
    yield from (f"- **{one.name}**: {one.why}" for one in left_out(ids))


if __name__ == "__main__":
    print(tasks_page(), end="")
