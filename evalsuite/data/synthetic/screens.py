"""Screens of phone applications as plain data: a title bar and widgets, each with its place and what it does."""

from __future__ import annotations

from dataclasses import dataclass

from evalsuite.data.synthetic.randomness import SeededRandom

WIDTH, HEIGHT = 720, 1280
_APPS = (
    ("Weather", "weather forecast", ("Today", "Tomorrow", "Map", "Rain alerts", "Change city")),
    ("Music", "music player", ("Play", "Next song", "Playlists", "Shuffle", "Search songs")),
    ("Mail", "mail inbox", ("Write mail", "Search mail", "Archive", "Settings", "Drafts")),
    ("Bank", "bank account", ("Transfer money", "Pay bill", "Cards", "History", "Log out")),
    ("Travel", "trip planner", ("Find flight", "Book hotel", "My trips", "Rent car", "Help")),
    ("Recipes", "recipe collection", ("Add recipe", "Favorites", "Shopping list", "Timer", "Share")),
)
_ACTIONS = ("go to", "open", "select", "tap for")


@dataclass(frozen=True, slots=True)
class Widget:
    """kind: button, field or switch; box: left, top, right, bottom in pixels."""

    text: str
    kind: str
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Screen:
    """title is what the bar says, purpose what the screen is for."""

    title: str
    purpose: str
    widgets: tuple[Widget, ...]
    colour: str
    text_scale: float
    width: int = WIDTH
    height: int = HEIGHT


def make_screen(rng: SeededRandom, text_scale: float = 1.0) -> Screen:
    """An application with two to five widgets below each other."""
    title, purpose, texts = rng.choice(_APPS)
    chosen = rng.sample(texts, rng.integer(2, 5))
    top, widgets = 220, []
    for text in chosen:
        high = rng.choice((90, 120, 150))
        left = rng.choice((40, 80, 140))
        kind = rng.choice(("button", "field", "switch"))
        widgets.append(Widget(text, kind, (left, top, WIDTH - left, top + high)))
        top += high + rng.integer(30, 60)
    return Screen(title, purpose, tuple(widgets), rng.choice(("blue", "green", "purple", "orange")), text_scale)


def summaries(screen: Screen) -> list[str]:
    """Five sentences about the whole screen."""
    count = len(screen.widgets)
    first, last = screen.widgets[0].text.lower(), screen.widgets[-1].text.lower()
    return [
        f"screen of a {screen.purpose} with {count} options",
        f"{screen.title.lower()} app showing {first} and other options",
        f"a {screen.purpose} page",
        f"page with {screen.colour} title bar of a {screen.purpose}",
        f"{screen.purpose} with {first} and {last}",
    ]


def widget_captions(rng: SeededRandom, widget: Widget) -> list[str]:
    """Three phrases that say what a widget is for."""
    name = widget.text.lower()
    return [f"{action} {name}" for action in rng.sample(_ACTIONS, 2)] + [name]
