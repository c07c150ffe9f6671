"""Molecules, sheet music, words in pictures and objects on pages: the record is what is drawn."""

from __future__ import annotations

from typing import Any

from rdkit import Chem

from evalsuite.data.synthetic import SyntheticSource


def records(name: str, size: int = 30, **parameters: Any) -> list[Any]:
    return list(SyntheticSource(name, parameters, size, 0).records("test"))


def test_molecules_are_molecules() -> None:
    """Each SMILES can be read, and pictures of different molecules differ."""
    found = records("molecules")
    canonical = [Chem.MolToSmiles(Chem.MolFromSmiles(record["SMILES"])) for record in found]
    pictures = {text: record["image"].frames()[0].tobytes() for text, record in zip(canonical, found, strict=True)}
    assert len(pictures) > 10 and len(set(pictures.values())) == len(pictures)


def test_measures_are_full_in_both_hands() -> None:
    """A quarter is 4 in kern: a measure of four quarters adds up to one whole."""
    for record in records("sheet_music", 10):
        lines = record["transcription"].splitlines()
        assert lines[0] == "**kern\t**kern" and lines[-1] == "*-\t*-"
        measures: list[list[str]] = [[]]
        for line in lines[1:]:
            if line.startswith("="):
                measures.append([])
            elif not line.startswith("*"):
                measures[-1].append(line)
        for measure in filter(None, measures):
            for hand in (0, 1):
                notes = [line.split("\t")[hand] for line in measure]
                assert sum(1 / int("".join(c for c in note if c.isdigit())) for note in notes) == 1.0


def test_words_lie_inside_their_picture_and_are_drawn_there() -> None:
    for record in records("scene_words", 8):
        picture = record["image"].frames()[0]
        assert record["words"]
        for word in record["words"]:
            xs, ys = zip(*word["vertices"], strict=True)
            assert 0 <= min(xs) < max(xs) <= picture.width and 0 <= min(ys) < max(ys) <= picture.height
            part = picture.crop((int(min(xs)), int(min(ys)), int(max(xs)) + 1, int(max(ys)) + 1))
            assert len(part.getcolors(1 << 20) or []) > 1, word  # letters on a ground


def test_objects_of_a_page_lie_on_it_and_have_a_known_class() -> None:
    for record in records("page_objects", 10):
        width, height = record["image"].size
        assert len(record["bboxes"]) == len(record["category_id"]) > 0
        for left, top, wide, high in record["bboxes"]:
            assert left >= 0 and top >= 0 and wide > 0 and high > 0
            assert left + wide <= width and top + high <= height
        assert all(1 <= number <= 11 for number in record["category_id"])
