"""The gate's verdicts for machines and for people: JUnit XML, Markdown, JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from evalsuite.comparison.gate import INCONCLUSIVE, PASS, REGRESSION, Verdict, overall
from evalsuite.reports.tables import escape_markdown

_SIGNS = {PASS: "✅", INCONCLUSIVE: "❔", REGRESSION: "❌"}
_NOT_XML = {code: None for code in range(32) if code not in (9, 10, 13)} | {0xFFFE: None, 0xFFFF: None}


def as_markdown(verdicts: Sequence[Verdict], run: str) -> str:
    """A summary for the step summary of a CI service."""
    lines = [
        f"## {_SIGNS[overall(verdicts)]} Gate: {overall(verdicts)}",
        "",
        f"Run {escape_markdown(run, code=True)}, {len(verdicts)} splits.",
        "",
        "| | Task | Split | Metric | Baseline | Run | Why |",
        "|---|---|---|---|---:|---:|---|",
    ]
    for item in verdicts:
        value = "" if item.value is None else f"{item.value:.2f}"
        cells = (_SIGNS[item.verdict], item.task, item.split, item.metric, f"{item.baseline:.2f}", value, item.reason)
        lines.append("| " + " | ".join(escape_markdown(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def as_junit(verdicts: Sequence[Verdict]) -> bytes:
    """JUnit XML: a test case for each split; a regression is a failure, an inconclusive one is skipped."""
    suite = ElementTree.Element(
        "testsuite",
        name="evalsuite gate",
        tests=str(len(verdicts)),
        failures=str(sum(item.verdict == REGRESSION for item in verdicts)),
        skipped=str(sum(item.verdict == INCONCLUSIVE for item in verdicts)),
        errors="0",
    )
    for item in verdicts:
        name = f"{item.split}: {item.metric}"
        case = ElementTree.SubElement(suite, "testcase", classname=_xml(item.task), name=_xml(name))
        reason = _xml(item.reason)
        if item.verdict == REGRESSION:
            ElementTree.SubElement(case, "failure", message=reason).text = reason
        elif item.verdict == INCONCLUSIVE:
            ElementTree.SubElement(case, "skipped", message=reason)
        else:
            ElementTree.SubElement(case, "system-out").text = reason
    return bytes(ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True))


def as_json(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """``{verdict, splits: [...]}``; numbers in paper units."""
    return {"verdict": overall(verdicts), "splits": [_record(item) for item in verdicts]}


def _record(item: Verdict) -> dict[str, Any]:
    record = {field.name: getattr(item, field.name) for field in dataclasses.fields(Verdict) if field.name != "found"}
    if item.found is not None and item.found.counts[1] is not None:
        record |= {"n": item.found.n, **dataclasses.asdict(item.found.counts[1])}
    if item.found is not None and item.found.n and item.found.p is not None:
        found = item.found
        record |= {
            "n": found.n,
            "difference": found.difference,
            "ci_low": found.low,
            "ci_high": found.high,
            "p": found.p,
            "better": len(found.better),
            "worse": len(found.worse),
            "tied": found.tied,
        }
    return record


def _xml(text: str) -> str:
    """Without the characters that XML cannot hold, lone surrogates among them."""
    return text.translate(_NOT_XML).encode("utf-8", "replace").decode()
