"""The synthetic world: the same everywhere, different in every split, in real columns, and true."""

from __future__ import annotations

import copy
import hashlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalsuite.data.synthetic import Rendered, RenderedClip, SyntheticSource, generators
from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.render.scenes import render_scene
from evalsuite.errors import UnknownName, UsageError
from evalsuite.types import Visual

WORLD: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "fixtures" / "synthetic.json").read_text(encoding="utf-8")
)
"""Generator -> the data set's columns, the one of the ids (or none), and a digest of its first four records.

Another digest needs another GENERATOR_VERSION.
"""

every_generator = pytest.mark.parametrize("name", sorted(WORLD))


def records(name: str, size: int = 40, split: str = "test", seed: int = 0, **parameters: Any) -> list[Any]:
    return list(SyntheticSource(name, parameters, size, seed).records(split))


def drawn_parts(value: Any) -> Iterator[Rendered | RenderedClip]:
    """Every picture and clip in a record, also those inside of lists and records."""
    if isinstance(value, (Rendered, RenderedClip)):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from drawn_parts(part)


def plain(value: Any) -> Any:
    """A record without its pictures."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items() if not isinstance(part, (Rendered, RenderedClip))}
    return [plain(part) for part in value] if isinstance(value, list) else value


def pictures(record: Any) -> list[bytes]:
    frames = (part.frame(7) if isinstance(part, RenderedClip) else part.frames()[0] for part in drawn_parts(record))
    return [frame.tobytes() for frame in frames]


def drawn(record: Any) -> list[str]:
    return [repr(part.clip if isinstance(part, RenderedClip) else part.content) for part in drawn_parts(record)]


# -- sources -----------------------------------------------------------------------------------------------------------


def test_every_generator_has_its_columns_listed_here() -> None:
    assert set(WORLD) == set(generators())


@every_generator
def test_records_have_exactly_the_columns_of_the_data_set(name: str) -> None:
    for record in records(name, 6):
        assert list(record) == WORLD[name]["columns"]
        json.dumps(plain(record))


@every_generator
def test_same_seed_gives_equal_records_and_equal_pixels(name: str) -> None:
    one, other = records(name, 3), records(name, 3)
    assert one == other
    assert [pictures(record) for record in one] == [pictures(record) for record in other]


@every_generator
def test_records_are_the_same_on_every_machine(name: str) -> None:
    """The digest covers the columns and, for pictures, the plain data that they are drawn from."""
    text = json.dumps([{**plain(record), "drawn": drawn(record)} for record in records(name, 4)], sort_keys=True)
    assert hashlib.blake2b(text.encode(), digest_size=8).hexdigest() == WORLD[name]["digest"]


@every_generator
def test_splits_and_seeds_have_different_pictures(name: str) -> None:
    """Records of one split may share a picture, as several questions about an image do."""
    groups = [records(name, 8, "test"), records(name, 8, "train"), records(name, 8, "test", seed=1)]
    everything = [text for group in groups for text in {text for record in group for text in drawn(record)}]
    assert len(set(everything)) == len(everything)


@pytest.mark.parametrize("name", sorted(name for name in WORLD if WORLD[name]["id"]))
def test_identifiers_are_unique_in_a_split(name: str) -> None:
    assert max(Counter(record[WORLD[name]["id"]] for record in records(name, 60)).values()) == 1


@every_generator
def test_a_smaller_size_gives_the_first_records_of_a_larger_one(name: str) -> None:
    assert records(name, 3) == records(name, 9)[:3]


def test_records_can_begin_anywhere() -> None:
    source = SyntheticSource("captions", {}, 6)
    assert [*source.records_from("val", 4)] == [*source.records("val")][4:]


def test_count_and_fingerprint_say_what_the_data_is() -> None:
    source = SyntheticSource("captions", {"max_objects": 3}, 5, seed=2)
    assert source.count("val") == 5 == len(list(source.records("val")))
    assert source.fingerprint("val") == {
        "kind": "synthetic",
        "generator": "captions",
        "version": 1,
        "seed": 2,
        "split": "val",
        "size": 5,
        "parameters": {"max_objects": 3, "clutter": 0.0, "width": 1024, "height": 1024},
    }


def test_unknown_generators_and_parameters_are_named() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'captions'"):
        SyntheticSource("caption", {}, 1)
    with pytest.raises(UnknownName, match=r"generator counting: unknown parameter 'max_object'\. Did you mean"):
        SyntheticSource("counting", {"max_object": 3}, 1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"max_objects": 99}, "whole number of 1..24, not 99"),
        ({"max_objects": 2.5}, "whole number"),
        ({"max_objects": True}, "whole number"),
        ({"clutter": 0.9}, "a number of 0..0.5"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SyntheticSource("counting", parameters, 1)


def test_making_records_loads_no_imaging_library() -> None:
    """Drawing is lazy: planning a run over synthetic data stays cheap."""
    code = (
        "import sys; from evalsuite.data.synthetic import generators, SyntheticSource\n"
        "for name in generators(): next(iter(SyntheticSource(name, {}, 1).records('test')))\n"
        "sys.exit('PIL' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_seeded_random_is_fair_enough_and_in_range() -> None:
    rng = SeededRandom("a", 1)
    assert Counter(rng.integer(1, 4) for _ in range(400)).keys() == {1, 2, 3, 4}
    assert sorted(rng.shuffled(range(9))) == list(range(9))
    assert len(set(rng.sample("abcdef", 4))) == 4


# -- visuals -----------------------------------------------------------------------------------------------------------


@every_generator
def test_visuals_know_their_size_without_drawing(name: str) -> None:
    for visual in drawn_parts(records(name, 1)[0]):
        if isinstance(visual, RenderedClip):
            assert visual.frame_total == visual.clip.frame_total >= 160
            assert visual.frame(visual.frame_total - 1).size == visual.size
        else:
            assert isinstance(visual, Visual)
            as_visual: Visual = visual
            (picture,) = as_visual.frames()
            assert (as_visual.frame_count, picture.size, picture.mode) == (1, visual.size, "RGB")


@every_generator
def test_a_copied_record_is_equal_and_draws_the_same(name: str) -> None:
    record = records(name, 1)[0]
    copied = copy.deepcopy(record)
    assert copied == record
    assert pictures(copied) == pictures(record)


def test_scenes_can_be_drawn_at_any_size() -> None:
    scene = records("referring_expressions", 1)[0]["image"].content
    assert render_scene(scene, 256).size == (256, 192)
