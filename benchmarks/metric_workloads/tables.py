"""TEDS, S-TEDS, GriTS-Top and GriTS-Con on tables of PubTabNet's size, against the official approach in plain Python.

The validation split has 9,115 tables, with 9 to 248 cells, 64 on average and 44.5 in the median. Here: the same number
of made-up tables whose sizes follow a log-normal distribution of that mean and median, each with a prediction that has
some characters, cells and rows wrong. The official programs take hours for that, so their approach runs on tables at
evenly spaced quantiles of the sizes.
"""

from __future__ import annotations

import difflib
import functools
import math
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

TABLES = 9115
MEDIAN, MEAN = 44.5, 64.0
SMALLEST, LARGEST = 9, 248

WORDS = ["Age", "Sex", "Total", "Control", "Treatment", "Baseline", "Mean", "Group", "Patients", "Hazard", "ratio"]
WORDS += [
    "Model",
    "Species",
    "Primer",
    "sequence",
    "Temperature",
    "Response",
    "Dose",
    "Weight",
    "Number",
    "of",
    "value",
]

Workload = tuple[str, Callable[[], object], Callable[[], object], float]


def workloads(scale: float) -> Iterator[Workload]:
    """(label, ours, official, part of the tables that the official approach gets), smaller for ``scale`` below 1."""
    from evalsuite.metrics import load_metric

    count = max(1, round(TABLES * scale))
    tables = make_tables(count)
    predictions, references = [p for p, _ in tables], [[r] for _, r in tables]
    for label, name, official, most in (
        ("TEDS", "teds", official_teds, 12),
        ("S-TEDS", "teds_structure", official_s_teds, 60),
        ("GriTS-Top", "grits_top", official_grits_top, 60),
        ("GriTS-Con", "grits_con", official_grits_con, 60),
    ):
        metric = load_metric(name)
        metric.score(predictions[:1], references[:1])  # compiled code is loaded
        part = [tables[int((k + 0.5) * count / min(most, count))] for k in range(min(most, count))]
        some = f" (official: {len(part)} of them)" if len(part) < count else ""
        yield (
            f"{label}, {count:,} tables{some}",
            functools.partial(metric.score, predictions, references),
            functools.partial(_mean_score, official, part),
            len(part) / count,
        )


def _mean_score(official: Callable[[str, str], float], tables: Sequence[tuple[str, str]]) -> float:
    return statistics.fmean(official(prediction, reference) for prediction, reference in tables)


def make_tables(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """(prediction, reference) as HTML documents, from the smallest table to the largest."""
    source = random.Random(seed)
    normal = statistics.NormalDist(math.log(MEDIAN), math.sqrt(2 * math.log(MEAN / MEDIAN)))
    tables = []
    for k in range(count):
        size = min(LARGEST, max(SMALLEST, math.exp(normal.inv_cdf((k + 0.5) / count))))
        columns = min(12, max(2, round(source.gauss(0.75, 0.2) * math.sqrt(size))))
        rows = max(2, round(size / columns))
        table = [[_text(source, i == 0 or j == 0) for j in range(columns)] for i in range(rows)]
        spanned = source.random() < 0.45
        tables.append((_html(_damaged(source, table), spanned and source.random() < 0.9), _html(table, spanned)))
    return tables


def _text(source: random.Random, label: bool) -> str:
    if label:
        return " ".join(source.choices(WORDS, k=source.choice((1, 1, 2, 2, 3, 5))))
    if source.random() < 0.1:
        return ""
    number = f"{source.lognormvariate(2, 2):.{source.randrange(4)}f}"
    return number + source.choice(("", "", "", f" ± {source.random():.2f}", " (12.5%)", f" ({number}–{number})"))


def _damaged(source: random.Random, table: list[list[str]]) -> list[list[str]]:
    """A few wrong characters; in one table of five a row too many or too few."""
    table = [[_misread(source, text) if source.random() < 0.15 else text for text in row] for row in table]
    chance = source.random()
    if chance < 0.1 and len(table) > 2:
        del table[source.randrange(1, len(table))]
    elif chance < 0.2:
        table.insert(source.randrange(1, len(table)), list(table[-1]))
    return table


def _misread(source: random.Random, text: str) -> str:
    place = source.randrange(len(text) + 1)
    return text[:place] + source.choice(("", "1", "e", " ")) + text[place + 1 :]


def _html(table: list[list[str]], spanned: bool) -> str:
    """The first row is the head, in bold; ``spanned`` joins its last two cells."""
    head = [f"<td><b>{text}</b></td>" for text in table[0]]
    if spanned and len(head) > 2:
        head[-2:] = [f'<td colspan="2"><b>{table[0][-1]}</b></td>']
    body = "".join(f"<tr>{''.join(f'<td>{text}</td>' for text in row)}</tr>" for row in table[1:])
    return f"<html><body><table><thead><tr>{''.join(head)}</tr></thead><tbody>{body}</tbody></table></body></html>"


# --- TEDS as it is released: a Python tree edit distance with a Python string distance -----------------------------


def official_teds(prediction: str, reference: str) -> float:
    """TEDS of two documents with apted and a string distance in plain Python."""
    return _apted_similarity(prediction, reference, structure_only=False)


def official_s_teds(prediction: str, reference: str) -> float:
    """S-TEDS of two documents with apted."""
    return _apted_similarity(prediction, reference, structure_only=True)


def _apted_similarity(prediction: str, reference: str, *, structure_only: bool) -> float:
    import lxml.html
    from apted import APTED, Config
    from apted.helpers import Tree

    class Costs(Config):  # type: ignore[misc]
        def rename(self, node1: Any, node2: Any) -> float:
            (label1, tokens1), (label2, tokens2) = node1.name, node2.name
            if label1 != label2:
                return 1.0
            longest = max(len(tokens1), len(tokens2))
            return _levenshtein(tokens1, tokens2) / longest if longest else 0.0

    def tree(element: Any) -> Any:
        if element.tag == "td":
            label = ("td", int(element.get("colspan", "1")), int(element.get("rowspan", "1")))
            return Tree((label, [] if structure_only else tokens(element)[1:-1]))
        return Tree((element.tag, ()), *map(tree, element))

    def tokens(element: Any) -> list[str]:
        inner = [token for child in element for token in (*tokens(child), *(child.tail or ""))]
        return [f"<{element.tag}>", *(element.text or ""), *inner, f"</{element.tag}>"]

    tables = [lxml.html.fromstring(html).find("body/table") for html in (prediction, reference)]
    distance = APTED(*map(tree, tables), Costs()).compute_edit_distance()
    return 1.0 - float(distance) / max(len(table.xpath(".//*")) for table in tables)


def _levenshtein(first: Sequence[str], second: Sequence[str]) -> int:
    line = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        diagonal, line[0] = line[0], i
        for j, b in enumerate(second, 1):
            diagonal, line[j] = line[j], min(diagonal + (a != b), line[j] + 1, line[j - 1] + 1)
    return line[-1]


# --- GriTS as it is released: a dictionary of all rewards, and dynamic programming in Python -----------------------

Cells = list[list[Any]]


def official_grits_top(prediction: str, reference: str) -> float:
    """GriTS-Top from rectangles compared in plain Python."""
    return _grits(_python_grid(reference, spans=True), _python_grid(prediction, spans=True), _rectangles)


def official_grits_con(prediction: str, reference: str) -> float:
    """GriTS-Con from difflib's SequenceMatcher."""

    def similarity(a: str, b: str) -> float:
        return difflib.SequenceMatcher(None, a, b).ratio()

    return _grits(_python_grid(reference, spans=False), _python_grid(prediction, spans=False), similarity)


def _python_grid(html: str, *, spans: bool) -> Cells:
    from xml.etree import ElementTree

    placed: dict[tuple[int, int], Any] = {}
    for i, row in enumerate(ElementTree.fromstring(html).iter("tr")):
        for cell in row:
            column = next(j for j in range(len(placed) + 1) if (i, j) not in placed)
            height, width = int(cell.get("rowspan", "1")), int(cell.get("colspan", "1"))
            for k in range(height):
                for j in range(width):
                    placed[i + k, column + j] = (-j, -k, width - j, height - k) if spans else " ".join(cell.itertext())
    rows, columns = (1 + max(place[axis] for place in placed) for axis in (0, 1))
    return [[placed[i, j] for j in range(columns)] for i in range(rows)]


def _rectangles(a: Sequence[int], b: Sequence[int]) -> float:
    def area(left: float, top: float, right: float, bottom: float) -> float:
        return max(0, right - left) * max(0, bottom - top)

    lows, highs = list(zip(a[:2], b[:2], strict=True)), list(zip(a[2:], b[2:], strict=True))
    return area(*map(max, lows), *map(min, highs)) / area(*map(min, lows), *map(max, highs))


def _grits(true: Cells, predicted: Cells, reward: Callable[[Any, Any], float]) -> float:
    rewards = {
        (i, j, k, m): reward(a, b)
        for i, row1 in enumerate(true)
        for j, a in enumerate(row1)
        for k, row2 in enumerate(predicted)
        for m, b in enumerate(row2)
    }
    turned = {(j, i, m, k): value for (i, j, k, m), value in rewards.items()}
    shape1, shape2 = (len(true), len(true[0])), (len(predicted), len(predicted[0]))
    rows = _aligned(*shape1, *shape2, rewards)
    columns = _aligned(*shape1[::-1], *shape2[::-1], turned)
    score = sum(rewards[i, j, k, m] for i, k in rows for j, m in columns)
    precision, recall = score / math.prod(shape2), score / math.prod(shape1)
    return 2 * precision * recall / (precision + recall) if score else 0.0


def _aligned(
    rows1: int, columns1: int, rows2: int, columns2: int, rewards: dict[tuple[int, int, int, int], float]
) -> list[tuple[int, int]]:
    """The pairs of rows whose sum of one-dimensional alignments is largest."""
    values = [[0.0] * (rows2 + 1) for _ in range(rows1 + 1)]
    paired = {}
    for i in range(rows1):
        for k in range(rows2):
            line = [[0.0] * (columns2 + 1) for _ in range(columns1 + 1)]
            for j in range(columns1):
                for m in range(columns2):
                    line[j + 1][m + 1] = max(line[j][m] + rewards[i, j, k, m], line[j][m + 1], line[j + 1][m])
            paired[i, k] = values[i][k] + line[-1][-1]
            values[i + 1][k + 1] = max(paired[i, k], values[i][k + 1], values[i + 1][k])
    pairs, i, k = [], rows1, rows2
    while i and k:
        if values[i][k] == paired[i - 1, k - 1]:
            i, k = i - 1, k - 1
            pairs.append((i, k))
        elif values[i][k] == values[i - 1][k]:
            i -= 1
        else:
            k -= 1
    return pairs
