"""Two staves of piano music as plain data, their **kern text, and where the notes stand."""

from __future__ import annotations

from dataclasses import dataclass

from evalsuite.data.synthetic.randomness import SeededRandom

STEPS = "cdefgab"
_VALUES = {1: 4.0, 2: 2.0, 4: 1.0, 8: 0.5}  # kern's number of a note's length -> quarters


@dataclass(frozen=True, slots=True)
class Note:
    """step: 0 is middle C, 7 the C above it; length: kern's number (4 is a quarter)."""

    step: int
    length: int

    def kern(self) -> str:
        """
        >>> Note(0, 4).kern(), Note(7, 2).kern(), Note(-1, 8).kern()
        ('4c', '2cc', '8B')
        """
        octave, place = divmod(self.step, 7)
        letter = STEPS[place]
        return f"{self.length}{letter * (octave + 1) if octave >= 0 else letter.upper() * -octave}"


@dataclass(frozen=True, slots=True)
class Score:
    """Measures of (left hand, right hand), notes that sound together in both hands."""

    measures: tuple[tuple[tuple[Note, Note], ...], ...]
    width: int = 1024
    height: int = 320

    def kern(self) -> str:
        """The score as a **kern file of two spines."""
        lines = ["**kern\t**kern", "*clefF4\t*clefG2", "*k[]\t*k[]", "*M4/4\t*M4/4"]
        for number, measure in enumerate(self.measures, 1):
            lines.append(f"={number}\t={number}")
            lines += [f"{left.kern()}\t{right.kern()}" for left, right in measure]
        return "\n".join([*lines, "==\t==", "*-\t*-"])


def make_score(rng: SeededRandom, measures: int = 3) -> Score:
    """Measures of four quarters, both hands in the same rhythm."""
    found = []
    for _ in range(measures):
        lengths = rng.choice(((4, 4, 4, 4), (2, 4, 4), (4, 4, 2), (2, 2), (8, 8, 4, 2), (1,)))
        notes = tuple((Note(rng.integer(-12, -3), length), Note(rng.integer(1, 11), length)) for length in lengths)
        found.append(notes)
    return Score(tuple(found))
