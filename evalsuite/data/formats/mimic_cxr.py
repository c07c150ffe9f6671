"""Report texts of MIMIC-CXR: one file per study, sections under headings in capital letters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalsuite.data.readers import open_binary, read_whole
from evalsuite.errors import DataError

_STUDY = re.compile(r"s(\d+)")
_PATIENT = re.compile(r"p(\d+)")
_REPORT_BEGINS = re.compile(r"(?m)^[ \t]*FINAL (?:REPORT|ADDENDUM)[ \t]*$")
_CAPITALS = r"[A-Z0-9 ,/()&.':_-]"
_HEADING = re.compile(
    rf"(?m)^[ \t]*(?P<heading>[A-Z]{_CAPITALS}{{2,80}}?(?=:\s|:\Z)"
    r"|(?i:findings|impressions?|indications?|conclusions?)(?=:)"
    rf"|[A-Z]{_CAPITALS}{{0,120}}\b(?:CHEST|VIEWS?)\b{_CAPITALS}{{0,120}}$):?"
)
_INDICATION = re.compile(r"INDICATION|HISTORY|REASON FOR|CLINICAL INFORMATION")
_IMPRESSION = re.compile(r"IMPRESSION|CONCLUSION")
_VIEWS = re.compile(r"CHEST|RADIOGRAPH|\bVIEWS?\b|\b(?:AP|PA|LATERAL|PORTABLE)\b")
_NO_VIEWS = re.compile(r"EXAM|TECHNIQUE|COMPARISON|STUDY|PROCEDURE|TYPE OF")


def reports(path: Path) -> Iterator[dict[str, Any]]:
    """The report ``…/p10/p10000032/s50414267.txt`` as one record.

    ``subject_id``, ``study_id`` (digits, as text), ``folder`` (``p10/p10000032/s50414267``, where the images of the
    study lie) and ``indication``, ``findings``, ``impression``; a section that the report lacks is "". Raises DataError
    for a file whose name does not say which study it is.
    """
    study, patient = _STUDY.fullmatch(path.name.split(".")[0]), _PATIENT.fullmatch(path.parent.name)
    if study is None or patient is None:
        raise DataError(f"{path}: a report of MIMIC-CXR lies at a place such as p10/p10000032/s50414267.txt")
    with open_binary(path) as file:
        text = read_whole(file, path).decode("utf-8")
    yield {
        "subject_id": patient[1],
        "study_id": study[1],
        "folder": f"{path.parent.parent.name}/{path.parent.name}/s{study[1]}",
        **report_sections(text),
    }


def report_sections(text: str) -> dict[str, str]:
    """``indication``, ``findings`` and ``impression`` of a report, white space squeezed.

    Sections begin with a heading in capital letters and a colon, at the start of a line; a line in capital letters that
    names views of the chest begins one without a colon. What stands before the line FINAL REPORT, such as a wet read,
    is left out. An indication may also be called history or reason for examination, an impression conclusion; findings
    may stand under the name of the views (``PA AND LATERAL CHEST:``). Findings and impression under one heading are
    findings. Sections of the same name are put together.

    >>> report_sections(" HISTORY: Cough.\\n\\n FINDINGS:\\n\\n Lungs are\\n clear.\\n IMPRESSION: Normal.")
    {'indication': 'Cough.', 'findings': 'Lungs are clear.', 'impression': 'Normal.'}
    """
    begins = [match.end() for match in _REPORT_BEGINS.finditer(text)]
    body = text[begins[0] :] if begins else text
    parts: dict[str, list[str]] = {"indication": [], "findings": [], "impression": [], "views": []}
    headings = list(_HEADING.finditer(body))
    ends = [*(match.start() for match in headings), len(body)][1:]
    for match, end in zip(headings, ends, strict=True):
        section = _section(match["heading"].upper())
        if section and (content := " ".join(body[match.end() : end].split())):
            parts[section].append(content)
    views = parts.pop("views")
    parts["findings"] = parts["findings"] or views
    return {name: " ".join(found) for name, found in parts.items()}


def _section(heading: str) -> str | None:
    """Which section a heading in capital letters begins; None for one that is of no use here."""
    if "FINDING" in heading:
        return "findings"
    if _IMPRESSION.search(heading):
        return "impression"
    if _INDICATION.search(heading):
        return "indication"
    return "views" if _VIEWS.search(heading) and not _NO_VIEWS.search(heading) else None
