"""Chest X-rays of simple shapes with their reports, as plain data. A patient's left is on the right of the picture."""

from __future__ import annotations

from dataclasses import dataclass

from evalsuite.data.synthetic.randomness import SeededRandom

SIDES = ("left", "right")
_INDICATIONS = (
    "Shortness of breath.",
    "Cough and fever.",
    "Chest pain.",
    "Evaluate for pneumonia.",
    "Status post fall.",
    "Preoperative examination.",
    "Weakness.",
)


@dataclass(frozen=True, slots=True)
class Radiograph:
    """What a chest X-ray shows.

    effusion, pneumothorax, consolidation, nodule: sides that have it. large_heart, pacemaker: whether there is one.
    build: width of the chest as a share of the picture.
    """

    effusion: tuple[str, ...]
    pneumothorax: tuple[str, ...]
    consolidation: tuple[str, ...]
    nodule: tuple[str, ...]
    large_heart: bool
    pacemaker: bool
    build: float
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Report:
    """The sections that reports of chest X-rays have."""

    indication: str
    findings: str
    impression: str


def make_radiograph(rng: SeededRandom, width: int, height: int) -> Radiograph:
    """About three in ten show nothing. A lung has no more than one of pneumothorax, effusion and consolidation."""
    healthy = rng.chance(0.3)
    found: dict[str, list[str]] = {"effusion": [], "pneumothorax": [], "consolidation": [], "nodule": [], "": []}
    for side in SIDES:
        kind = rng.choice(("", "", "effusion", "pneumothorax", "consolidation", "nodule"))
        found["" if healthy else kind].append(side)
    return Radiograph(
        tuple(found["effusion"]),
        tuple(found["pneumothorax"]),
        tuple(found["consolidation"]),
        tuple(found["nodule"]),
        not healthy and rng.chance(0.35),
        not healthy and rng.chance(0.2),
        rng.uniform(0.74, 0.9),
        width,
        height,
    )


def report(rng: SeededRandom, image: Radiograph) -> Report:
    """A true report in one of several wordings."""
    heart = (
        rng.choice(("The heart is enlarged.", "Moderate cardiomegaly is present."))
        if image.large_heart
        else rng.choice(("The heart size is normal.", "The cardiomediastinal silhouette is normal."))
    )
    findings = [heart]
    for sides, present, absent in (
        (image.consolidation, "consolidation in the {0}", "No focal consolidation is seen."),
        (image.effusion, "{1} pleural effusion", "There is no pleural effusion."),
        (image.pneumothorax, "{1} pneumothorax", "There is no pneumothorax."),
        (image.nodule, "nodule in the {0}", ""),
    ):
        if sides:
            found = present.format(f"{_where(sides)} lung" if len(sides) == 1 else "lungs on both sides", _where(sides))
            findings.append(rng.choice((f"There is a {found}.", f"A {found} is seen.")))
        elif absent:
            findings.append(absent)
    if image.pacemaker:
        findings.append("A left chest wall pacemaker is in place.")
    return Report(rng.choice(_INDICATIONS), " ".join(findings), _impression(image))


def _impression(image: Radiograph) -> str:
    named = [
        f"{_where(sides).capitalize()} {name}."
        for sides, name in (
            (image.consolidation, "lung consolidation, concerning for pneumonia"),
            (image.effusion, "pleural effusion"),
            (image.pneumothorax, "pneumothorax"),
            (image.nodule, "lung nodule"),
        )
        if sides
    ]
    named += ["Cardiomegaly."] if image.large_heart else []
    return " ".join(named) or "No acute cardiopulmonary process."


def _where(sides: tuple[str, ...]) -> str:
    return "bilateral" if len(sides) == 2 else sides[0]
