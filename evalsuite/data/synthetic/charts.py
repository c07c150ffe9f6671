"""Bar, line and pie charts as plain data, and questions about them."""

from __future__ import annotations

from dataclasses import dataclass

from evalsuite.data.synthetic.randomness import SeededRandom

# title, noun of a category, categories, names of series, unit
_THEMES: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...], str], ...] = (
    (
        "Fruit sold per week",
        "fruit",
        ("Apples", "Pears", "Plums", "Grapes", "Lemons", "Cherries"),
        ("North", "South"),
        "kg",
    ),
    (
        "Visitors of the museum",
        "month",
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
        ("Adults", "Children"),
        "thousands",
    ),
    (
        "Electricity by source",
        "source",
        ("Wind", "Solar", "Hydro", "Coal", "Gas", "Nuclear"),
        ("Country A", "Country B"),
        "TWh",
    ),
    (
        "Share of people who agree",
        "country",
        ("Kenya", "Brazil", "Japan", "Norway", "Canada", "Egypt"),
        ("Men", "Women"),
        "%",
    ),
    ("Average rainfall", "year", ("2015", "2016", "2017", "2018", "2019", "2020"), ("Coast", "Inland"), "cm"),
)
_PAIRS = (("blue", "orange"), ("green", "purple"), ("red", "gray"), ("brown", "pink"))
_SLICES = ("blue", "orange", "green", "red", "purple", "brown")


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """kind: bar, horizontal bar, line or pie. ``colours``: one per series, for a pie one per category."""

    kind: str
    title: str
    noun: str
    unit: str
    categories: tuple[str, ...]
    series: tuple[Series, ...]
    colours: tuple[str, ...]
    value_labels: bool = True
    width: int = 1024
    height: int = 768


def number(value: float) -> str:
    """At most one digit after the point.

    >>> number(12.0), number(12.34)
    ('12', '12.3')
    """
    return f"{value:.1f}".removesuffix(".0")


def make_chart(rng: SeededRandom, value_labels: bool = True, width: int = 1024, height: int = 768) -> Chart:
    """A random chart. Values of a series differ, so that questions for the highest and lowest have one answer."""
    title, noun, categories, names, unit = rng.choice(_THEMES)
    kind = rng.choice(("bar", "horizontal bar", "line", "pie"))
    if noun in ("month", "year"):
        first = rng.integer(0, 2)
        chosen = categories[first : first + rng.integer(4, 6)]
    else:
        chosen = tuple(rng.sample(categories, rng.integer(3, 5)))
    if kind == "pie":
        shares = tuple(float(share) for share in _shares(rng, len(chosen)))
        colours = tuple(rng.sample(_SLICES, len(chosen)))
        return Chart(kind, title, noun, "%", chosen, (Series("Share", shares),), colours, value_labels, width, height)
    series_count = rng.choice((1, 1, 2))
    scale = rng.choice((1.0, 1.0, 0.1))
    series = tuple(
        Series(name, tuple(round(value * scale, 1) for value in rng.sample(range(6, 98), len(chosen))))
        for name in names[:series_count]
    )
    colours = rng.choice(_PAIRS)[:series_count]
    return Chart(kind, title, noun, unit, chosen, series, colours, value_labels, width, height)


def _shares(rng: SeededRandom, count: int) -> list[int]:
    """Different whole percentages, each at least 5, that add up to 100."""
    while True:
        cuts = sorted(rng.sample(range(1, 100), count - 1))
        shares = [high - low for low, high in zip([0, *cuts], [*cuts, 100], strict=True)]
        if min(shares) >= 5 and len(set(shares)) == count:
            return shares


def lookup_question(rng: SeededRandom, chart: Chart) -> tuple[str, str]:
    """A question whose answer is one drawn value or one drawn name, as the machine-made half of ChartQA asks."""
    series = rng.choice(chart.series)
    place = rng.integer(0, len(chart.categories) - 1)
    category, value = chart.categories[place], series.values[place]
    of_series = f" for {series.name}" if len(chart.series) > 1 else ""
    extreme = rng.choice(("highest", "lowest"))
    found = (max if extreme == "highest" else min)(series.values)
    options = [
        (f"What is the value of {category}{of_series}?", number(value)),
        (f"Which {chart.noun} has the {extreme} value{of_series}?", chart.categories[series.values.index(found)]),
        (f"What is the {extreme} value{of_series}?", number(found)),
    ]
    return rng.choice(options)


def reasoning_question(rng: SeededRandom, chart: Chart) -> tuple[str, str]:
    """A question that needs arithmetic, comparison or colour, as the human half of ChartQA asks."""
    series = rng.choice(chart.series)
    of_series = f" of {series.name}" if len(chart.series) > 1 else ""
    one, other = rng.sample(range(len(chart.categories)), 2)
    name_one, name_other = chart.categories[one], chart.categories[other]
    value_one, value_other = series.values[one], series.values[other]
    ordered = sorted(series.values)
    limit = float(round(sum(series.values) / len(series.values)))
    options = [
        (
            f"What is the difference between the highest and the lowest value{of_series}?",
            number(ordered[-1] - ordered[0]),
        ),
        (f"What is the sum of the values of {name_one} and {name_other}{of_series}?", number(value_one + value_other)),
        (
            f"Is the value{of_series} of {name_one} greater than that of {name_other}?",
            "Yes" if value_one > value_other else "No",
        ),
        (
            f"How many {plural_noun(chart.noun)} have a value{of_series} above {number(limit)}?",
            str(sum(value > limit for value in series.values)),
        ),
    ]
    if chart.kind == "pie":
        options.append((f"What is the color of the slice of {name_one}?", chart.colours[one].capitalize()))
    elif len(chart.series) > 1:
        place = rng.integer(0, 1)
        options.append((f"Which color stands for {chart.series[place].name}?", chart.colours[place].capitalize()))
    return rng.choice(options)


def plural_noun(noun: str) -> str:
    """
    >>> plural_noun("country"), plural_noun("month")
    ('countries', 'months')
    """
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
