"""Write the model card of the miniature family, and the figures of the docs, from training logs and a study's report.

evalsuite study run studies/miniature.yaml
evalsuite report studies/miniature
python tools/miniature/card.py TRAINED studies/miniature
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from examples import SHARES

from evalsuite.backends.miniature import RESOLUTIONS, SIZES, miniature_checkpoint

CELLS = [(size, side) for size in SIZES for side in RESOLUTIONS]
FAMILIES: dict[str, tuple[str, ...]] = {
    "Questions about a scene": ("vqav2", "gqa", "okvqa", "vizwiz_vqa", "aokvqa_da", "xgqa"),
    "Choosing an answer": ("aokvqa_mc", "ai2d", "science_qa"),
    "Counting": ("tallyqa", "countbenchqa"),
    "Existence, pairs of images": ("pope", "mmvp"),
    "True or false": ("vsr", "vsr_random", "marvl"),
    "Two images, true or false (NLVR2)": ("nlvr2",),
    "Views of solids, aerial images": ("objaverse_multiview", "rsvqa_lr", "rsvqa_hr"),
    "Reading words": ("textvqa", "stvqa", "ocrvqa"),
    "Reading pages and charts": ("docvqa", "infovqa", "chartqa"),
    "Captions (CIDEr)": ("cococap", "nocaps", "textcaps", "screen2words", "widgetcap", "scicap"),
    "Captions in 35 languages (CIDEr)": ("coco35l", "xm3600"),
    "Masks of expressions (mIoU)": ("refcoco", "refcocop", "refcocog"),
    "Detection (AP)": ("coco_detection", "doclaynet_detection"),
    "Text spotting (F1)": ("icdar15", "total_text"),
    "Tables (TEDS)": ("pubtabnet", "fintabnet"),
    "Questions about clips": ("msvd_qa", "msrvtt_qa", "activitynet_qa"),
    "Captions of clips (CIDEr)": ("vatex", "msrvtt_cap", "activitynet_cap", "smit_cap"),
}
"""What the table of the card averages: headline values in the units of the papers."""

TEMPLATE = Path(__file__).with_name("card.md")
DOCS = Path(__file__).resolve().parents[2] / "docs" / "figures"
FIGURES = ("improvements.svg", "scaling_curves.svg")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path)
    parser.add_argument("study", type=Path)
    parser.add_argument("--units", type=int, default=480)
    parser.add_argument("--out", type=Path, default=miniature_checkpoint({}).parent / "MODEL_CARD.md")
    chosen = parser.parse_args()
    chosen.out.write_text(card(chosen.trained, chosen.study, chosen.units), "utf-8")
    for name in FIGURES:
        shutil.copy(chosen.study / "report" / name, DOCS / f"miniature_{name}")


def card(trained: Path, study: Path, units: int) -> str:
    from train import STEPS, TOWER_STEPS

    folders = [miniature_checkpoint({"size": size, "resolution": side}) for size, side in CELLS]
    total = sum(file.stat().st_size for folder in folders for file in folder.iterdir())
    seen = ", ".join(f"{TOWER_STEPS[side]:,} and {count:,} at {side} px" for side, count in STEPS.items())
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
        results=table(study),
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


def table(study: Path) -> str:
    values = {cell: headlines(study / f"size={cell[0]},resolution={cell[1]}" / "results.json") for cell in CELLS}
    lines = ["| family | " + " | ".join(f"{size}-{side}" for size, side in CELLS) + " |", "|---" * 10 + "|"]
    for family, tasks in FAMILIES.items():
        lines.append(
            f"| {family} | " + " | ".join(mean([values[cell].get(task) for task in tasks]) for cell in CELLS) + " |"
        )
    return "\n".join(lines) + "\n"


def headlines(results: Path) -> dict[str, tuple[float, float]]:
    """Task -> mean headline value over its splits, and half the width of its interval."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in json.loads(results.read_text("utf-8")):
        if row["headline"] and not row["stratum"]:
            half = (row["ci_high"] - row["ci_low"]) / 2 if row["ci_low"] is not None else 0.0
            found.setdefault(row["task"], []).append((row["value"], half))
    return {task: combined(pairs) for task, pairs in found.items()}


def mean(pairs: Sequence[tuple[float, float] | None]) -> str:
    there = [pair for pair in pairs if pair is not None]
    if not there:
        return ""
    value, half = combined(there)
    return f"{value:.1f} ± {half:.1f}"


def combined(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    values, halves = zip(*pairs, strict=True)
    return sum(values) / len(values), math.sqrt(sum(half * half for half in halves)) / len(halves)


if __name__ == "__main__":
    main()
