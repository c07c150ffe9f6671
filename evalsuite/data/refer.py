"""RefCOCO's own download: pickled expressions and COCO instances, turned into the JSON Lines that the specs read.

Source of the layout: https://github.com/lichengunc/refer
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from evalsuite.data.readers import open_binary, parse_json, read_whole
from evalsuite.errors import DataError

MOST_SENTENCES, LONGEST = 200, 10_000
EVALUATED = ("val", "test", "testA", "testB")


class PlainUnpickler(pickle._Unpickler):
    """Reads pickles of plain data: dicts, lists, text and numbers. Whatever names a class or function is refused.

    A pickle can only run code through something that it names, and every name is looked up in ``find_class``. The
    reader written in Python is taken: the faster one makes room for any place in its memo that a file claims.
    """

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it names {module}.{name}, which plain data does not need")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError("it refers to objects outside of the file")


def convert(refs: Path, instances: Path, folder: Path) -> dict[str, int]:
    """Write ``val.jsonl``, ``testA.jsonl``, … with a line per object; returns expressions per split.

    refs: ``refs(unc).p``, ``refs(umd).p`` or ``refs(google).p``; instances: the ``instances.json`` beside it.
    A line: ``question_id``, ``image`` (file name), ``answer`` (the expressions), ``bbox`` [x, y, width, height] in
    pixels, ``mask`` as COCO encodes it. The training split is left out. Raises DataError; nothing is written before
    both files were read, and each file appears whole.
    """
    splits: dict[str, list[dict[str, Any]]] = {}
    for split, record in _records(refs, instances):
        splits.setdefault(split, []).append(record)
    if not splits:
        raise DataError(f"{refs}: no reference belongs to {', '.join(EVALUATED)}")
    folder.mkdir(parents=True, exist_ok=True)
    for split, records in splits.items():
        partial = folder / f"{split}.jsonl.partial"
        partial.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        partial.replace(folder / f"{split}.jsonl")
    return {split: sum(len(record["answer"]) for record in records) for split, records in splits.items()}


def read_refs(path: Path) -> list[dict[str, Any]]:
    """The references of a ``refs(...).p``. Raises DataError for anything but plain data."""
    try:
        with open_binary(path) as file:
            found = PlainUnpickler(file, encoding="utf-8").load()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    except Exception as error:  # a damaged pickle raises almost anything
        raise DataError(f"{path}: not a pickle of plain data: {error}") from None
    if not isinstance(found, list) or not all(isinstance(ref, dict) for ref in found):
        raise DataError(f"{path}: not a list of references")
    return found


def _expressions(sentences: Any) -> list[str]:
    """Raises TypeError for anything but a few texts: parts of a pickle may be shared, and grow when written out."""
    found = [sentence["sent"] for sentence in sentences[:MOST_SENTENCES]]
    if len(found) < len(sentences) or not all(isinstance(text, str) and len(text) <= LONGEST for text in found):
        raise TypeError(
            f"sentences: more than {MOST_SENTENCES}, or one that is no text of at most {LONGEST} characters"
        )
    return found


def _records(refs: Path, instances: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(split, record), in the order of the references."""
    references = read_refs(refs)
    with open_binary(instances) as file:
        document = parse_json(read_whole(file, instances), instances)
    try:
        images = {image["id"]: image for image in document["images"]}
        objects = {one["id"]: one for one in document["annotations"]}
    except (KeyError, TypeError) as error:
        raise DataError(f"{instances}: not a COCO instances file (images, annotations): {error!r}") from None
    for ref in references:
        try:
            if ref["split"] not in EVALUATED:
                continue
            if not isinstance(ref["ref_id"], (int, str)) or isinstance(ref["image_id"], (list, dict)):
                raise TypeError("ref_id and image_id must be numbers or texts")
            image, one = images[ref["image_id"]], objects[ref["ann_id"]]
            size, shape = [image["height"], image["width"]], one["segmentation"]
            yield (
                ref["split"],
                {
                    "question_id": ref["ref_id"],
                    "image": image["file_name"],
                    "answer": _expressions(ref["sentences"]),
                    "bbox": one["bbox"],
                    "mask": {"size": size, "polygons": shape}
                    if isinstance(shape, list)
                    else {"size": shape["size"], "counts": shape["counts"]},
                },
            )
        except (KeyError, TypeError) as error:
            place = ref.get("ref_id", "?")
            raise DataError(f"{refs}: reference {place}: {error!r} is missing there or in {instances.name}") from None
