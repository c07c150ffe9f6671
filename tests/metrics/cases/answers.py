"""Small corpora for the metrics of questions and answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalsuite.metrics import Answer


def soft() -> dict[str, Any]:
    references = [["dog"] * 4, ["red", "red", "blue"], [{"answers": ["two"] * 10}], ["a", "b", "c", "c", "c"]]
    return {
        "predictions": ["cat", "blue", "two", "b"],
        "references": references,
        "perfect": ["dog", "red", "two", "c"],
    } | {"best": (1 + 2 / 3 + 1 + 1) / 4}


def vizwiz() -> dict[str, Any]:
    references = [["dog"] * 10, ["blue"] * 3 + ["red"] * 7, ["unanswerable"] * 10, ["5"] * 4 + ["five"] * 6]
    return {
        "predictions": ["Dog", "red", "can", "6"],
        "references": references,
        "perfect": ["dog", "red", "unanswerable", "5"],
    }


def choices() -> dict[str, Any]:
    references = [
        [{"choices": ["bus", "train"], "answer": 1}],
        [{"choices": ["red", "blue", "green"], "answer": "red"}],
        [{"choices": ["1", "2", "3", "4"], "answer": 3}],
        [{"choices": ["yes", "no"], "answer": "no"}],
    ]
    return {
        "predictions": ["train", "blue", "four", "no."],
        "references": references,
        "perfect": ["train", "red", "4", "no"],
    }


def yes_no() -> dict[str, Any]:
    references = [["yes"], ["no"], ["yes"], ["no"], ["no"]]
    return {
        "predictions": ["yes", "Yes", "No", "no", "there is none"],
        "references": references,
        "perfect": [label for (label,) in references],
    }


def pairs() -> dict[str, Any]:
    answers = [("Left", 1), ("Right", 1), ("open", 2), ("closed", 2), ("one", 3), ("two", 3), ("alone", 4)]
    references = [[{"answer": answer, "pair": pair}] for answer, pair in answers]
    return {
        "predictions": ["left", "right ", "open", "open", "two", "two", "alone"],
        "references": references,
        "perfect": [answer for answer, _ in answers],
    }


def typed() -> dict[str, Any]:
    answers = [("yes", "presence"), ("no", "presence"), ("rural", "rural_urban"), ("yes", "comp"), ("no", "comp")]
    references = [[{"answer": [answer, f"{answer}!"], "type": kind}] for answer, kind in answers]
    return {
        "predictions": ["yes", "yes", "Rural", "", "no!"],
        "references": references,
        "perfect": [answer for answer, _ in answers],
    }


def letters() -> dict[str, Any]:
    references = [["The answer is A."], [{"answer": 1, "choices": 2}], ["The answer is C."], ["The answer is B."]]
    return {
        "predictions": ["the answer is a. Because", "The answer is Z.", "C", "The answer is A."],
        "references": references,
        "perfect": [f"The answer is {letter}." for letter in "ABCB"],
    }


def word_similarity() -> dict[str, Any]:
    references = [["dogs"], ["a cat", "a dog"], [{"answer": "run", "type": "CH"}], [{"answer": "no", "type": "DB"}]]
    return {
        "predictions": ["cat", "thing", "sleeping", "yes"],
        "references": references,
        "perfect": ["dog", "the cat", "running", "no"],
        "parameters": lambda folder: {"wordnet": str(tiny_wordnet(folder))},
    }


def views() -> dict[str, Any]:
    """Three objects; the first is seen twice, and its likelier answer is the right one in ``perfect`` only."""
    seen = [("mug", "1"), ("mug", "1"), ("chair", "2"), ("lamp", None)]
    references = [[{"answer": name, "object": number}] if number else [name] for name, number in seen]
    said = [("cup", -0.5), ("mug", -2.0), ("lamp", -1.0), ("lamp", -1.0)]
    predictions = [Answer(text, id=str(i), log_probabilities=(log,)) for i, (text, log) in enumerate(said)]
    perfect = [Answer(name, id=str(i), log_probabilities=(-1.0,)) for i, (name, _) in enumerate(seen)]
    return {
        "predictions": predictions,
        "references": references,
        "perfect": perfect,
        "parameters": lambda folder: {"embeddings": str(vectors(folder))},
    }


def vectors(folder: Path) -> Path:
    """A file of embeddings in the plane: a cup is nearly a mug, a chair is something else."""
    known = {"mug": [1.0, 0.0], "cup": [3.0, 4.0], "chair": [0.0, 2.0], "lamp": [-1.0, 1.0]}
    lines = [json.dumps({"text": text, "vector": vector}) for text, vector in known.items()]
    path = folder / "vectors.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


NOUNS = {
    "entity": [],
    "animal": ["entity"],
    "dog domestic_dog": ["animal", "friend"],
    "cat": ["animal"],
    "friend": ["person"],
    "person": ["entity"],
    "thing": [],
    "run": ["entity"],
}
"""First word and synonyms of a synset -> the first words of what is above it."""

VERBS: dict[str, list[str]] = {"move": [], "run": ["move"], "walk": ["move"], "sleep": [], "dog": ["walk"]}


def tiny_wordnet(folder: Path, nouns: Mapping[str, Sequence[str]] = NOUNS) -> Path:
    """A folder in WordNet's format, with three exceptions and one word each for adjectives and adverbs."""
    parts = {"noun": ("n", nouns), "verb": ("v", VERBS), "adj": ("a", {"quick": []}), "adv": ("r", {"quickly": []})}
    for name, (pos, synsets) in parts.items():
        _write_part(folder, name, pos, synsets)
    (folder / "noun.exc").write_text("men person\n", encoding="utf-8")
    (folder / "verb.exc").write_text("ran run\nrunning run\n", encoding="utf-8")
    return folder


def _write_part(folder: Path, name: str, pos: str, synsets: Mapping[str, Sequence[str]]) -> None:
    licence = "  1 This line stands for the licence.  \n"
    entries = {words.split()[0]: (words.split(), above) for words, above in synsets.items()}

    def lines(offsets: Mapping[str, int]) -> dict[str, str]:
        made = {}
        for first, (words, above) in entries.items():
            lemmas = " ".join(f"{word} 0" for word in words)
            pointers = "".join(f" @ {offsets[other]:08d} {pos} 0000" for other in above)
            made[first] = (
                f"{offsets[first]:08d} 03 {pos} {len(words):02x} {lemmas} {len(above):03d}{pointers} | gloss\n"
            )
        return made

    sizes = {first: len(line) for first, line in lines(dict.fromkeys(entries, 0)).items()}
    offsets, place = {}, len(licence)
    for first, size in sizes.items():
        offsets[first], place = place, place + size
    (folder / f"data.{name}").write_text(licence + "".join(lines(offsets).values()), encoding="utf-8")
    index = {word: offsets[first] for first, (words, _) in entries.items() for word in words}
    (folder / f"index.{name}").write_text(
        licence + "".join(f"{word} {pos} 1 0 1 0 {offset:08d}  \n" for word, offset in sorted(index.items())),
        encoding="utf-8",
    )


CASES = {
    "embedding_similarity": views,
    "multiple_choice": choices,
    "paired_accuracy": pairs,
    "per_type_accuracy": typed,
    "science_qa": letters,
    "vizwiz": vizwiz,
    "vqa_soft": soft,
    "wups": word_similarity,
    "yes_no": yes_no,
}
