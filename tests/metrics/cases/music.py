"""A corpus for the error rates of music transcription."""

from __future__ import annotations

from typing import Any


def scores() -> dict[str, Any]:
    references = [
        "**kern\t**kern\n*clefF4\t*clefG2\n=\t=\n4C\t4e 4g\n*-\t*-",
        "4CC\t8ee-L\n.\t8dd",
        "=\t=",
        "2.AA-\t4.a- 4.cc\n.\t8b-",
    ]
    predictions = ["**kern\t**kern\n=\t=\n4C\t4e 4f\n*-\t*-", "4CC\t8ee-L", "=\t==", ""]
    return {"predictions": predictions, "references": [[r] for r in references], "perfect": references, "best": 0.0}


CASES = {"kern_error_rates": scores}
