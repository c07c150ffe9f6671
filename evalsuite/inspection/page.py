"""Pages of examples: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from evalsuite.asking.requests import RequestBuilder
from evalsuite.data import open_task_data
from evalsuite.errors import DataError
from evalsuite.files.writing import write_atomically
from evalsuite.inspection.checking import DataCheck
from evalsuite.inspection.views import ExampleView, view_example
from evalsuite.inspection.visible import printable
from evalsuite.reports.rendering import environment
from evalsuite.specs.schema import TaskSpec

TEMPLATES = Path(__file__).parent / "templates"
PAGE_BYTES = 12_000_000
LEAST_BYTES, MOST_BYTES = 12_000, 250_000
"""Of the pictures of one example, about."""


@dataclass(frozen=True)
class _Section:
    """What a page shows of one split. check: None for a page that only shows examples."""

    title: str
    facts: Sequence[tuple[str, str]]
    examples: Sequence[ExampleView]
    check: DataCheck | None = None


def preview_page(
    spec: TaskSpec,
    kind: str,
    *,
    data_dir: Path | None = None,
    seed: int = 0,
    split: str | None = None,
    count: int = 24,
) -> str:
    """The first ``count`` examples of a split (None: the first reported one) as a page.

    Raises DataError when the data cannot be read, UnknownName for an unknown split or kind.
    """
    data = open_task_data(spec, kind, data_dir=data_dir, seed=seed)
    name = next(iter(data.fingerprint([split] if split else None)["splits"]))
    prompts = RequestBuilder(spec)
    most = max(LEAST_BYTES, min(MOST_BYTES, PAGE_BYTES // count))
    examples = [view_example(example, prompts, most) for example in islice(data.examples(name, stop=count), count)]
    if not examples:
        raise DataError(f"{spec.id}: split {name!r} holds no examples")
    facts = [*_facts(spec), ("Data", f"{kind}, split {name}")]
    subtitle = f"{len(examples)} example{'s' if len(examples) > 1 else ''} from {kind} data, split {name}"
    return _render(spec.title, subtitle, [_Section("Examples", facts, examples)], spec.description)


def check_page(checks: Sequence[DataCheck]) -> str:
    """What :func:`~evalsuite.inspection.checking.check_data` found, with the first and last examples."""
    sections = [_Section(check.spec.id, _facts(check.spec), (), check) for check in checks]
    bad = [check.spec.id for check in checks if not check.ok]
    title = "Data check: " + ", ".join(check.spec.id for check in checks)
    return _render(title, f"a run would stop: {', '.join(bad)}" if bad else "nothing would stop a run", sections)


def write_page(path: Path, page: str) -> None:
    """Write it whole or not at all. Raises StoreError when it cannot be written."""
    # Lone surrogates, which JSON can carry, are no characters and cannot be written as UTF-8.
    write_atomically(path, page.encode("utf-8", "replace").decode("utf-8"))


def _facts(spec: TaskSpec) -> list[tuple[str, str]]:
    image = spec.image
    kernel = "antialias" if image.antialias else "no antialias"
    clip = f", {image.frames} frames, every {image.stride or 1}th" if image.frames else ""
    beam = f", beam {spec.decoding.beam_size}" if spec.decoding.beam_size > 1 else ", greedy"
    return [
        ("Task", f"{spec.id}, version {spec.version}"),
        ("Headline metric", spec.headline().name),
        ("Answer", f"at most {spec.decoding.max_new_tokens} tokens{beam}"),
        ("Images", f"{image.resize}, {kernel}{clip}"),
        ("Licence", spec.license),
    ]


def _render(title: str, subtitle: str, sections: Sequence[_Section], description: str = "") -> str:
    """All text of data and specs is escaped; nothing is fetched from elsewhere."""
    template = environment(TEMPLATES, clean=printable).get_template("examples.html.j2")
    return template.render(title=title, subtitle=subtitle, description=description, sections=sections)
