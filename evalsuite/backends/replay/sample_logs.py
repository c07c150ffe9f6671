"""Records of other harnesses' logs, so that their predictions can be scored here without asking the model again.

lm-evaluation-harness and lmms-eval (``--log_samples``): JSON lines with ``doc_id``, ``doc``, ``resps`` and
``filtered_resps``. VLMEvalKit: tables with ``index``, ``question``, ``answer`` and ``prediction``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from evalsuite.errors import DataError

HARNESS_KEYS = frozenset(["doc_id", "resps"])
VLMEVALKIT_KEYS = frozenset(["index", "question", "answer", "prediction"])


def is_harness_record(record: Mapping[str, Any]) -> bool:
    """Whether it is a sample of lm-evaluation-harness or lmms-eval."""
    return record.keys() >= HARNESS_KEYS


def is_vlmevalkit_record(columns: Iterable[str]) -> bool:
    """Whether a table with these columns holds predictions of VLMEvalKit."""
    return set(columns) >= VLMEVALKIT_KEYS


def harness_fields(record: Mapping[str, Any], id_field: str | None, id_fields: Iterable[str], where: str) -> Any:
    """(id, text) of a sample. The text is the raw response: filters of the other harness are left out.

    id_field: name of a field of the sample's ``doc`` that holds the id; None takes one of ``id_fields`` where the doc
    has exactly one, else ``doc_id``, the place in the data set. Raises DataError when there is no single response.
    """
    responses = record["resps"]
    while isinstance(responses, list) and len(responses) == 1:
        responses = responses[0]
    if isinstance(responses, list):
        what = f"{len(responses)} responses" if responses else "no response"
        raise DataError(f"{where}: {what}; only logs of one generated text per example can be replayed")
    doc = record.get("doc")
    doc = doc if isinstance(doc, Mapping) else {}
    if id_field is not None and id_field not in {**record, **doc}:
        raise DataError(f"{where}: neither the sample nor its doc has a field {id_field!r}; doc: {', '.join(doc)}")
    named = [id_field] if id_field is not None else [name for name in id_fields if name in doc]
    return ({**record, **doc}[named[0]] if len(named) == 1 else record["doc_id"]), responses
