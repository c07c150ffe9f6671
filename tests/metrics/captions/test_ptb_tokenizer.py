"""The caption tokenizer against recorded answers of the official wrapper (pycocoevalcap 1.2)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from evalsuite.metrics.captions.ptb_rules import rules
from evalsuite.metrics.captions.ptb_tokenizer import tokenize, tokenize_corpus

Golden = Callable[[str], list[dict[str, Any]]]
LINE_SEPARATORS = "\r\x0b\x0c\u2028\u2029"
FOLLOWING = {"solo": None, "followed_by_lowercase_line": "zzz", "followed_by_The_line": "The zzz"}


def recorded_strings(golden: Golden) -> Iterator[tuple[str, str | None, str]]:
    """Caption, next caption, tokens."""
    for line in golden("ptb_tokenizer"):
        if line["inputs"]["kind"] != "string" or any(c in line["inputs"]["text"] for c in LINE_SEPARATORS):
            continue
        for key, following in FOLLOWING.items():
            if key in line["expected"]:
                yield line["inputs"]["text"], following, line["expected"][key]


def test_agrees_with_the_official_tokenizer_on_every_recorded_caption(golden: Golden) -> None:
    compared = 0
    for text, following, expected in recorded_strings(golden):
        assert tokenize(text, following) == expected, (text, following)
        compared += 1
    assert compared == 6684


def test_agrees_on_whole_calls(golden: Golden) -> None:
    """Order, line separators and the look-ahead across captions. An image without captions is None there."""
    batches = [line for line in golden("ptb_tokenizer") if line["inputs"]["kind"] == "batch"]
    for line in batches:
        groups = line["inputs"]["captions_per_image"]
        tokens = iter(tokenize_corpus([caption for group in groups for caption in group]))
        ours = [[next(tokens) for _ in group] or None for group in groups]
        assert ours == [group or None for group in line["expected"]["tokenized"]], line["id"]
    assert len(batches) == 35


@pytest.mark.parametrize(
    ("caption", "tokens"),
    [
        ("A man's dog, isn't it?", "a man 's dog is n't it"),
        ("a (red) car", "a -lrb- red -rrb- car"),  # lower-case brackets are not in the official list of punctuation
        ("what?! no!", "what ?! no"),
        ("a state-of-the-art t-shirt", "a state-of-the-art t-shirt"),
        ("red,white-striped", "red,white-striped"),
        ("Main St. at 10:30am", "main st. at 10:30 am"),
        ("I cannot, gonna go", "i can not gon na go"),
        ("rock'n'roll o'clock y'all", "rock 'n' roll o'clock y' all"),
        ("call 555 123 4567", "call 555\xa0123\xa04567"),
        ("a 👍 dog", "a dog"),
        ("ソファーの上に猫が座っている。", "ソファーの上に猫が座っている 。"),
        ("½ cup", "1/2 cup"),
        ("", ""),
    ],
)
def test_examples(caption: str, tokens: str) -> None:
    assert tokenize(caption, "zzz") == tokens


def test_the_next_caption_decides_about_a_letter_and_a_period() -> None:
    assert tokenize_corpus(["vitamin C.", "the dog"]) == ["vitamin c.", "the dog"]
    assert tokenize_corpus(["vitamin C.", "The dog"]) == ["vitamin c", "the dog"]
    assert tokenize_corpus(["vitamin C.", "", "The dog"]) == ["vitamin c", "", "the dog"]


def test_the_last_caption_has_nothing_behind_it() -> None:
    assert tokenize_corpus(["we'll", "we'll"]) == ["we 'll", "we ll"]


def test_a_line_separator_shifts_all_later_captions() -> None:
    assert tokenize_corpus(["a\rb", "second", "third"]) == ["a", "b", "second"]
    assert tokenize_corpus(["a\nb", "second"]) == ["a b", "second"]


def test_a_caption_is_the_same_alone_and_among_others() -> None:
    """Words whose tokens do not depend on their neighbours are looked up, others are scanned in place."""
    captions = ["No. 5 on Elm St.", "about 1 1/2 cups", "<b>bold</b> text", "the no. of dogs", "A dog."]
    assert tokenize_corpus(captions) == [tokenize(c, n) for c, n in zip(captions, [*captions[1:], None], strict=True)]


def test_words_around_a_number_or_a_period_are_split_as_elsewhere() -> None:
    found = tokenize_corpus(["He can't see  No. 5, it's on Elm St. .", "No. 5 isn't", "x"])
    assert found == ["he ca n't see no. 5 it 's on elm st.", "no. 5 is n't", "x"]


def test_no_captions_have_no_tokens() -> None:
    assert tokenize_corpus([]) == []


def test_lone_surrogates_are_dropped() -> None:
    assert tokenize("a \ud83d dog", "zzz") == "a dog"


UNITS = """a- a. 9_ a'b a@ www.a. &amp; ' a,b- e.g., a.1 1www. a.jpg.1b. +. <a <!a ="<a </ <a_b_="x"_ x._<!b_ o' C._"""


@pytest.mark.parametrize("unit", UNITS.split(" "))
def test_a_text_that_repeats_itself_ends(unit: str) -> None:
    """A hundred thousand characters: a rule that looks to the end of them at every place would take minutes."""
    text = unit.replace("_", " ") * (100_000 // len(unit))
    assert tokenize(text + ".com", "zzz")


def test_attributes_of_an_open_tag_are_read_once() -> None:
    """Each could be one attribute, or a name and an attribute without one: two to the power of 50 ways."""
    assert tokenize("<a" + ' b ="x"' * 50 + " <", "zzz").startswith("< a b = x b")
    assert tokenize("<a" + ' b ="x"' * 2 + " > c", "zzz") == '<a\xa0b\xa0="x"\xa0b\xa0="x"\xa0> c'


PLACES = "a A. 1 - . , \xad e.g. www. @ .com .jpg .jpg, < <! <!a a._<!b_ A._<?c x.y- > >_ > / & &lt; é +"


def test_where_a_rule_has_looked_in_vain_it_matches_nowhere() -> None:
    """What lets it be left out there. Texts of pieces that such rules begin with, go through, and end with."""
    pieces = [*(piece.replace("_", " ") for piece in PLACES.split(" ")), " ", "\n"]
    generator, found = random.Random(17), [0] * len(rules())
    for _ in range(1500):
        text = "".join(generator.choices(pieces, k=generator.randrange(2, 25)))
        for rule in rules():
            matches = [rule.pattern.match(text, place) for place in range(len(text))]
            for place, match in enumerate(matches):
                if match and match.end(1) < 0:
                    found[rule.number] += 1
                    later = matches[place : match.end()]
                    assert not any(again and again.end(1) > 0 for again in later), (rule, text, place)
    assert sum(count > 50 for count in found) == 8  # rules that look far
