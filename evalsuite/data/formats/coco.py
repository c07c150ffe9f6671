"""Annotation files of the COCO data sets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalsuite.data.readers import open_binary, parse_json, read_whole
from evalsuite.errors import DataError


def captions(path: Path) -> Iterator[dict[str, Any]]:
    """A caption file, one record per image: ``{image_id, file_name, captions, height, width}``.

    Images come in the order of the file's ``images``, captions in that of its ``annotations``; images without a
    caption are left out, as they cannot be scored.
    """
    with open_binary(path) as file:
        document = parse_json(read_whole(file, path), path)
    try:
        found: dict[Any, list[str]] = {image["id"]: [] for image in document["images"]}
        for annotation in document["annotations"]:
            found[annotation["image_id"]].append(annotation["caption"])
        for image in document["images"]:
            if found[image["id"]]:
                yield {
                    "image_id": image["id"],
                    "file_name": image["file_name"],
                    "captions": found[image["id"]],
                    "height": image.get("height"),
                    "width": image.get("width"),
                }
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a COCO caption file (images, annotations with captions): {error!r}") from None


def instances(path: Path) -> Iterator[dict[str, Any]]:
    """An annotation file with boxes, one record per image: ``{image_id, file_name, height, width, objects}``.

    objects: ``{id, bbox, category, area, iscrowd}`` with the name of the category; segmentations are left out.
    Images come in the order of the file's ``images``; those without objects are kept: detections on them are wrong.
    """
    with open_binary(path) as file:
        document = parse_json(read_whole(file, path), path)
    try:
        names = {category["id"]: category["name"] for category in document["categories"]}
        found: dict[Any, list[dict[str, Any]]] = {image["id"]: [] for image in document["images"]}
        for one in document["annotations"]:
            kept = {name: one[name] for name in ("id", "bbox", "area", "iscrowd") if name in one}
            found[one["image_id"]].append({**kept, "category": names[one["category_id"]]})
        for image in document["images"]:
            yield {
                "image_id": image["id"],
                "file_name": image["file_name"],
                "height": image["height"],
                "width": image["width"],
                "objects": found[image["id"]],
            }
    except (KeyError, TypeError, AttributeError) as error:
        message = f"{path}: not a COCO instances file (images, annotations with boxes, categories): {error!r}"
        raise DataError(message) from None
