"""Scenes of the miniature's first stages: labels say what is drawn, questions have the answers that follow."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import scenes as pool
from scenes import HUES, KINDS, NOTHING, Scenes, everything, letter_places, make, patch_labels

from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.render.scenes import render_scene
from evalsuite.data.synthetic.world import Scene, SceneObject


def scene_of(*objects: SceneObject) -> Scene:
    return Scene(objects, "white")


class TestPatchLabels:
    def test_a_patch_shows_what_covers_most_of_it(self) -> None:
        left = SceneObject("circle", "red", "large", (0.0, 0.0, 0.5, 1.0))
        right = SceneObject("sign", "blue", "large", (0.5, 0.0, 0.5, 1.0), text="EXIT")
        labels = patch_labels(scene_of(left, right), 112)
        kinds, hues = labels["kinds"].reshape(4, 4), labels["hues"].reshape(4, 4)
        assert {KINDS[kind] for kind in kinds[:, :2].ravel()} == {"circle"}
        assert {KINDS[kind] for kind in kinds[:, 2:].ravel()} == {"exit"}
        assert {HUES[hue] for hue in hues[:, 2:].ravel()} == {"blue"}
        np.testing.assert_allclose(labels["boxes"].reshape(4, 4, 4)[0, 3], (0.0, 0.5, 1.0, 1.0))

    def test_letters_are_in_the_patches_where_they_are_drawn(self) -> None:
        """Black on white: the ink of each letter's patch lies around the place that is noted for it."""
        sign = SceneObject("sign", "yellow", "large", (0.1, 0.4, 0.8, 0.2), text="TAXI")
        scene = scene_of(sign)
        places = list(letter_places(scene, sign))
        assert [letter for letter, _ in places] == list("TAXI")
        row = np.asarray(render_scene(scene).convert("L"))[512, 150:870]  # the middle of the sign, inside its rim
        ink = np.flatnonzero(row < 60) + 150
        nearest = [min(abs(ink - x * 1024)) for _, x in places]
        assert max(nearest) < 30  # a letter is about 90 pixels wide
        letters = patch_labels(scene, 448)["letters"].reshape(16, 16, pool.READ)
        assert "".join(pool.LETTERS[one] for one in letters.ravel() if one != NOTHING) == "TAXI"

    def test_background_and_slight_touches_are_nothing(self) -> None:
        small = SceneObject("star", "green", "small", (0.02, 0.02, 0.22, 0.27))  # 8% of its height in the second row
        kinds = patch_labels(scene_of(small), 112)["kinds"].reshape(4, 4)
        assert kinds[0, 0] == KINDS.index("star")
        assert (kinds == NOTHING).sum() == 15

    @pytest.mark.parametrize("side", pool.RESOLUTIONS)
    def test_every_object_is_in_some_patch(self, side: int) -> None:
        for seed in range(20):
            scene, _ = make(SeededRandom("test", seed))
            shown = set(patch_labels(scene, side)["hues"].tolist())
            alone = len(scene.objects) == 1
            assert shown - {NOTHING} if alone else len(shown - {NOTHING}) >= 1


class TestQuestions:
    def test_everything_is_listed_in_the_order_of_reading(self) -> None:
        low = SceneObject("circle", "red", "small", (0.1, 0.8, 0.1, 0.1))
        high = SceneObject("sign", "blue", "small", (0.5, 0.1, 0.2, 0.1), text="BUS")
        first, second = everything(scene_of(low, high)).split(" ; ")
        assert first.endswith(" BUS") and second.endswith(" circle")
        assert re.fullmatch(r"(<loc\d{4}>){4} \w+", first)

    def test_a_question_has_one_answer(self) -> None:
        """The same words about the same scene never have two answers, whichever task asks."""
        for seed in range(60):
            _, asked = make(SeededRandom("test", seed))
            answers: dict[str, list[str]] = {}
            for prompt, given in asked:
                assert answers.setdefault(prompt, given) == given or prompt.startswith("caption"), prompt
                assert all(given)


class TestPool:
    def test_pixels_labels_and_questions_come_back_as_made(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pool, "SHARD", 6)
        pool.build(tmp_path, 12)
        found = Scenes(tmp_path, 224)
        assert len(found) == 12
        rng = SeededRandom("miniature", "train", 1, 2)
        scene, asked = make(rng)
        assert found.asked[8] == asked
        assert found.pixels(8).shape == (224, 224, 3)
        np.testing.assert_array_equal(found.labels.kinds[8], patch_labels(scene, 224)["kinds"])

    def test_a_folder_without_scenes_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(SystemExit, match=r"no scenes here; make them with tools/miniature/scenes\.py"):
            Scenes(tmp_path, 224)
