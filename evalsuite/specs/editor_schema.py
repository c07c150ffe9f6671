"""The schema of task specs as JSON Schema, for editors and for other languages."""

from __future__ import annotations

from typing import Any

from evalsuite.specs.schema import TaskSpec


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a task spec. Rules that span several fields are not in it."""
    from evalsuite.data.synthetic import generators
    from evalsuite.metrics import known_metrics

    schema = TaskSpec.model_json_schema()
    definitions = schema["$defs"]
    definitions["MetricUse"]["properties"]["name"]["examples"] = known_metrics()  # a package may add others
    definitions["SyntheticSource"]["properties"]["generator"]["enum"] = sorted(generators())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "evalsuite task spec"}
