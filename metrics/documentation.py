"""What a metric is, for people: read from its class, so that text and code cannot disagree.

python -m evalsuite.metrics.documentation > docs/metrics.md
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evalsuite.errors import UnknownName, UsageError
from evalsuite.metrics import METRICS, load_metric, metric_class
from evalsuite.metrics.base import Metric, Value

AGREEMENT: dict[str, tuple[str, ...]] = {
    "anls": ("anls",),
    "bleu": ("bleu", "ptb_tokenizer"),
    "box_ap": ("coco_map", "box_iou"),
    "cider": ("cider", "ptb_tokenizer"),
    "exact_match": ("exact_match",),
    "grits_con": ("grits_con",),
    "grits_loc": ("grits_loc",),
    "grits_top": ("grits_top",),
    "kern_error_rates": ("kern_cer_ser_ler", "kern_preprocess"),
    "mask_iou": ("referring_seg_miou", "vqvae_mask_decode"),
    "meteor": ("meteor",),
    "non_entailment": ("nes",),
    "number_words": ("tallyqa",),
    "paired_accuracy": ("mmvp",),
    "per_type_accuracy": ("rsvqa",),
    "radgraph_f1": ("radgraph_f1", "radgraph_f1_corpus"),
    "relaxed_accuracy": ("relaxed_accuracy",),
    "rouge_l": ("rouge_l", "ptb_tokenizer"),
    "science_qa": ("scienceqa",),
    "smiles_match": ("smiles_exact_match",),
    "teds": ("teds",),
    "teds_structure": ("teds_struct",),
    "text_spotting": ("hiertext_word_f1", "polygon_iou"),
    "textvqa": ("textvqa",),
    "toxicity": ("perspective_fractions",),
    "vizwiz": ("vizwiz",),
    "vqa_soft": ("vqa_soft",),
    "vqa_v2": ("vqa_v2",),
    "yes_no": ("pope",),
}
"""Metric -> golden files that hold official values of it. For the others none were recorded."""

INTRODUCTION = """
# Metrics

Every number is meant to be the one that the official program prints. A metric maps a prediction and its references to a
vector of statistics; the values follow from the sum of those vectors, so that shards add up and confidence intervals
re-weight the sum. Values are stored in the official unit and printed in the one that papers use (%: times 100). The
signature must be quoted with a number; it names everything that could change it.

    from evalsuite.metrics import load_metric
    load_metric("anls").score(["Paris 2019"], [["paris 2018"]])    # {'anls': 0.9}

`evalsuite metrics show NAME` prints a section of this page. "Unread" says which answers a metric cannot read for what
it asks; they are counted beside the value ([trust.md](trust.md#what-stands-beside-a-value)). Captions in many languages
are scored one language at a time with `evalsuite.metrics.groups`: document frequencies are those of the language.
"""

AGREEMENT_TEXT = """
## Agreement

`evalsuite metrics verify` runs recorded answers of the official programs through the metrics and compares: numbers to
1e-9 (relative to the official value where that is above 1), 1e-12 for BLEU, 1e-4 for mask IoU and 1e-5 for mask
decoding, counts and texts exactly. `--golden DIR` takes a folder of such files, one JSON object a line: `id`, `inputs`,
`expected`, `source`. Inputs on which an official program stops with an error are not compared. METEOR is compared where
Java is installed; no values of SPICE were recorded.

Of the tokenizer's lines 99.5% must agree, and all that are captions which people wrote. No recorded line disagrees so
far. {known}
"""

RATINGS_TEXT = """
## Rating sheets

Non-entailment sentences (`non_entailment`) need somebody who looks at every sentence of a caption:

    evalsuite ratings export runs/NAME --out sheet.csv --raters 5      a row per sentence, a column per rater
    evalsuite ratings check sheet.csv                                  how much is rated, majority, agreement, kappa
    evalsuite score runs/NAME --metric-option non_entailment.ratings=sheet.csv

One sheet for all raters, or a folder with one each; cells hold Entailment, Neutral, Contradiction or Nothing to assess.
A sheet that is there already is never written over.

    evalsuite ratings judge runs/NAME sheet.csv --url http://127.0.0.1:8000/v1 --model JUDGE --out judged.csv

has a model behind a server ([backends.md](backends.md#server)) rate the sentences instead. It sees the image, the
caption for context and one sentence, at temperature 0, and must answer with exactly one of the four; anything else is
no rating. The prompt is `evalsuite.ratings.judging.PROMPT`. Ratings are written as they come; the same command again
asks for what is missing only. `--option` takes the settings of the backend, `--max-new-tokens` makes room for models
that think before they answer with the rating alone.

A judge is no person. Its ratings stand in a column `rating_judge:MODEL@promptVERSION` of a file of their own; sheets in
which people and a model rated are refused together; the signature of a value names the judge and the version of its
prompt, and no published value is set beside it. How far a judge agrees with people is for you to measure before you
trust it. What a caption says can try to sway it; the prompt marks the texts and says that they are no instructions,
which helps and does not prove anything.
"""


@dataclass(frozen=True)
class Parameter:
    """A parameter with its default; ``choices`` are the values it takes, where they are few."""

    name: str
    default: Any
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Description:
    """A metric as a reader meets it.

    golden: files of official values that it is compared with. unread: which answers it cannot read, "" where it takes
    any text.
    """

    name: str
    version: int
    definition: str
    parameters: tuple[Parameter, ...]
    values: tuple[Value, ...]
    source: str
    golden: tuple[str, ...]
    signature: str
    unread: str = ""

    @property
    def variants(self) -> tuple[Parameter, ...]:
        """Parameters that choose between rules."""
        return tuple(parameter for parameter in self.parameters if parameter.choices)


def describe(name: str) -> Description:
    """Definition, parameters, values and source of a metric with its default parameters. Raises UnknownName."""
    cls = metric_class(name)
    parameters = tuple(
        Parameter(field.name, None if field.default is dataclasses.MISSING else field.default, _choices(name, field))
        for field in dataclasses.fields(cls)
        if field.init and not field.name.startswith("_")
    )
    values, signature = cls.values, ""
    try:
        metric = load_metric(name)
    except UsageError:  # it has a parameter without a default
        pass
    else:
        values, signature = metric.values, metric.signature()
    golden = AGREEMENT.get(name, ())
    definition, unread = inspect.getdoc(cls) or "", ""
    if cls.unread is not Metric.unread:
        unread = " ".join((inspect.getdoc(cls.unread) or "").split("\n\n")[0].split())
    return Description(name, cls.version, definition, parameters, values, cls.source, golden, signature, unread)


def _choices(name: str, field: dataclasses.Field[Any]) -> tuple[str, ...]:
    """The values that the metric itself names when it refuses another one."""
    if not isinstance(field.default, str):
        return ()
    try:
        load_metric(name, **{field.name: "?"})
    except UnknownName as error:
        return tuple(error.known)
    except UsageError:
        return ()
    return ()


def unit(value: Value) -> str:
    """``%``, ``% (lower is better)``."""
    return value.unit if value.higher_is_better else f"{value.unit} (lower is better)"


def metrics_page() -> str:
    """docs/metrics.md: a table of the metrics that ship, how they agree, and a section for each."""
    described = [describe(name) for name in sorted(METRICS)]
    parts = [INTRODUCTION.strip("\n"), "\n".join(_table(described)), _agreement(), RATINGS_TEXT.strip("\n")]
    parts += ["\n\n".join(_section(metric)) for metric in described]
    return "\n\n".join(parts) + "\n"


def _table(described: list[Description]) -> Iterator[str]:
    yield "| metric | values | unit | official code or paper | compared with |"
    yield "|---|---|---|---|---|"
    for metric in described:
        names = ", ".join(_shortened([f"`{value.name}`" for value in metric.values]))
        units = ", ".join(dict.fromkeys(value.unit or "–" for value in metric.values))
        golden = ", ".join(f"`{name}`" for name in metric.golden) or "–"
        cells = (f"[`{metric.name}`](#{metric.name})", names, units, metric.source, golden)
        yield "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _shortened(names: list[str], most: int = 8) -> list[str]:
    return names if len(names) <= most else [*names[: most - 1], f"and {len(names) - most + 1} more"]


def _agreement() -> str:
    from evalsuite.metrics.captions import ptb_tokenizer

    paragraphs = inspect.cleandoc(ptb_tokenizer.__doc__ or "").split("\n\n")
    known = next((text for text in paragraphs if text.startswith("Known to differ")), "")
    head, _, last = AGREEMENT_TEXT.format(known=known.replace("``", "`")).strip().rpartition("\n\n")
    return f"{head}\n\n{textwrap.fill(last, 120)}"


def _section(metric: Description) -> Iterator[str]:
    yield f"## {metric.name}"
    yield from map(_markdown, metric.definition.split("\n\n"))
    if metric.parameters:
        rows = [f"| `{p.name}` | `{p.default!r}` | {', '.join(p.choices)} |" for p in metric.parameters]
        yield "\n".join(["| parameter | default | one of |", "|---|---|---|", *rows])
    else:
        yield "No parameters."
    rows = [f"| `{value.name}` | {unit(value)} | {_bounds(value)} |" for value in metric.values]
    yield "\n".join(["| value | unit | official range |", "|---|---|---|", *rows])
    if metric.unread:
        yield f"Unread: {_markdown(metric.unread[0].lower() + metric.unread[1:])}"
    yield f"Version {metric.version}. Signature: `{metric.signature}`. Source: {metric.source}"


def _bounds(value: Value) -> str:
    low, high = value.bounds
    if low is None:
        return "unbounded" if high is None else f"up to {high:g}"
    return f"{low:g} or more" if high is None else f"{low:g} to {high:g}"


_NAMED = re.compile(r"(?P<names>[a-z_]+(?:, [a-z_]+)*):(?: |$)", re.MULTILINE)


def _markdown(paragraph: str) -> str:
    """A paragraph of a docstring: examples become code, lines that begin with ``name: meaning`` a list."""
    if paragraph.lstrip().startswith(">>>"):
        return f"```python\n{textwrap.dedent(paragraph)}\n```"
    if _NAMED.match(paragraph):
        paragraph = "\n".join(_list(paragraph.split("\n")))
    text = re.sub(r":[a-z]+:`~?([^`]+)`", r"`\1`", paragraph).replace("``", "`")
    pieces = re.split(r"(`[^`]*`)", text)  # code stays as it is
    return "".join(piece if piece.startswith("`") else piece.replace("<", r"\<") for piece in pieces)


def _list(lines: list[str]) -> Iterator[str]:
    """Named lines as items with the lines that continue them; a line such as ``References: …`` ends the list."""
    within = True
    for line in lines:
        named = _NAMED.match(line)
        if within and re.match(r"[A-Z][a-z]+: ", line):
            within = False
            yield ""
        if within and named:
            yield f"- **{named['names']}**: {line[named.end() :]}".rstrip()
        else:
            yield f"  {line}" if within else line


if __name__ == "__main__":
    print(metrics_page(), end="")
