"""Write the model card of the miniature family, and the figures of the docs, from training logs and a study's results.

evalsuite study run studies/miniature.yaml
python tools/miniature/card.py TRAINED studies/miniature
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from examples import SHARES

from evalsuite.backends.miniature import RESOLUTIONS, SIZES, miniature_checkpoint
from evalsuite.reports.scaling import figures
from evalsuite.reports.scaling.grid import PERCENT, Sample, TaskGrid

CELLS = [(size, side) for size in SIZES for side in RESOLUTIONS]
FAMILIES: dict[str, tuple[str, ...]] = {
    "Scene questions": ("vqav2", "gqa", "okvqa", "vizwiz_vqa", "aokvqa_da", "xgqa"),
    "Choosing an answer": ("aokvqa_mc", "ai2d", "science_qa"),
    "Counting": ("tallyqa", "countbenchqa"),
    "Existence, pairs": ("pope", "mmvp"),
    "True or false": ("vsr", "vsr_random", "marvl"),
    "Two images (NLVR2)": ("nlvr2",),
    "Solids, aerial images": ("objaverse_multiview", "rsvqa_lr", "rsvqa_hr"),
    "Reading words": ("textvqa", "stvqa", "ocrvqa"),
    "Pages and charts": ("docvqa", "infovqa", "chartqa"),
    "Captions (CIDEr)": ("cococap", "nocaps", "textcaps", "screen2words", "widgetcap", "scicap"),
    "35 languages (CIDEr)": ("coco35l", "xm3600"),
    "Masks (mIoU)": ("refcoco", "refcocop", "refcocog"),
    "Detection (AP)": ("coco_detection", "doclaynet_detection"),
    "Text spotting (F1)": ("icdar15", "total_text"),
    "Tables (TEDS)": ("pubtabnet", "fintabnet"),
    "Clip questions": ("msvd_qa", "msrvtt_qa", "activitynet_qa"),
    "Clip captions (CIDEr)": ("vatex", "msrvtt_cap", "activitynet_cap", "smit_cap"),
}
"""What the table of the card averages: headline values in the units of the papers."""
Families = dict[str, dict[tuple[str, int], tuple[float, float]]]
"""Family -> (size, resolution) -> mean headline value of its tasks, and half the width of its interval."""

TEMPLATE = Path(__file__).with_name("card.md")
DOCS = Path(__file__).resolve().parents[2] / "docs" / "figures"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path)
    parser.add_argument("study", type=Path)
    parser.add_argument("--units", type=int, default=480)
    parser.add_argument("--out", type=Path, default=miniature_checkpoint({}).parent / "MODEL_CARD.md")
    chosen = parser.parse_args()
    families = family_values(chosen.study)
    chosen.out.write_text(card(chosen.trained, families, chosen.units), "utf-8")
    figure = figures.scaling_curves(family_grids(families))
    figures.save(figure, DOCS, "miniature_families", ["svg"])


def card(trained: Path, families: Families, units: int) -> str:
    from train import STEPS, TOWER_STEPS

    folders = [miniature_checkpoint({"size": size, "resolution": side}) for size, side in CELLS]
    total = sum(file.stat().st_size for folder in folders for file in folder.iterdir())
    seen = ", ".join(f"{TOWER_STEPS[side]:,} and {sum(rounds):,} at {side} px" for side, rounds in STEPS.items())
    rows = []
    for folder in folders:
        words, pixels = parameters(folder)
        spent = last_line(trained / folder.name / "log.jsonl")
        named = " / ".join(f"{spent['named'][kind]:.0%}" for kind in ("shapes", "colours", "words"))
        rows.append(f"| {folder.name} | {words:,} / {pixels:,} | {named} | {spent['seconds'] / 60:.0f} |\n")
    return TEMPLATE.read_text("utf-8").format(
        sizes=", ".join(SIZES),
        sides=", ".join(map(str, RESOLUTIONS)),
        default=f"`{miniature_checkpoint({}).name}`",
        tokens="16, 64 and 256",
        megabytes=total / 1e6,
        examples=sum(round(share * units) for share in SHARES.values()),
        tasks=len(SHARES),
        steps=seen,
        units=units,
        costs="".join(rows),
        results=table(families),
    )


def parameters(folder: Path) -> tuple[int, int]:
    """Of the language model and of the image tower with its projection."""
    from safetensors import safe_open

    counts = [0, 0]
    with safe_open(folder / "model.safetensors", "np") as file:
        for name in file.keys():  # noqa: SIM118
            counts[not name.startswith("language_model")] += math.prod(file.get_slice(name).get_shape())
    return counts[0], counts[1]


def last_line(log: Path) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(log.read_text("utf-8").splitlines()[-1])
    return line


def table(families: Families) -> str:
    lines = ["| family | " + " | ".join(f"{size}-{side}" for size, side in CELLS) + " |", "|---" * 10 + "|"]
    for family, cells in families.items():
        written = [f"{cells[cell][0]:.1f} ± {cells[cell][1]:.1f}" if cell in cells else "" for cell in CELLS]
        lines.append(f"| {family} | " + " | ".join(written) + " |")
    return "\n".join(lines) + "\n"


def family_grids(families: Families) -> list[TaskGrid]:
    grids = []
    for family, cells in families.items():
        unit = "" if "CIDEr" in family else PERCENT
        grids.append(TaskGrid(family, unit, True, {cell: Sample(value) for cell, (value, _) in cells.items()}, {}))
    return grids


def family_values(study: Path) -> Families:
    values = {cell: headlines(study / f"size={cell[0]},resolution={cell[1]}" / "results.json") for cell in CELLS}
    return {
        family: {
            cell: combined([values[cell][task] for task in tasks if task in values[cell]])
            for cell in CELLS
            if any(task in values[cell] for task in tasks)
        }
        for family, tasks in FAMILIES.items()
    }


def headlines(results: Path) -> dict[str, tuple[float, float]]:
    """Task -> mean headline value over its splits, and half the width of its interval."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in json.loads(results.read_text("utf-8")):
        if row["headline"] and not row["stratum"]:
            half = (row["ci_high"] - row["ci_low"]) / 2 if row["ci_low"] is not None else 0.0
            found.setdefault(row["task"], []).append((row["value"], half))
    return {task: combined(pairs) for task, pairs in found.items()}


def combined(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    values, halves = zip(*pairs, strict=True)
    return sum(values) / len(values), math.sqrt(sum(half * half for half in halves)) / len(halves)


if __name__ == "__main__":
    main()
