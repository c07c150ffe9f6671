"""Training of the miniature family: who sees whom, the optimizer, and the same weights whatever interrupts a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the torch extra is not installed")

import batches  # noqa: E402
import examples  # noqa: E402
import optimizers  # noqa: E402
import scenes  # noqa: E402
import train  # noqa: E402
from batches import batch_of  # noqa: E402
from optimizers import Optimizers, orthogonal  # noqa: E402

FRAME = np.zeros((1, 56, 56, 3), np.uint8)  # four patches
PROMPT, ANSWER = (5, 6, 7), (8, 9)


def seen(batch: batches.Batch, row: int) -> list[str]:
    """For each place of a row the places it looks at, as x and dots."""
    return ["".join("x" if value == 0 else "." for value in query) for query in batch.mask()[row, 0].tolist()]


class TestWhoSeesWhom:
    def test_joined_picture_and_prompt_see_each_other_and_an_answer_what_came_before(self) -> None:
        batch = batch_of([FRAME], [[(PROMPT, ANSWER)]], joined=True)
        assert seen(batch, 0) == ["xxxxxxx.."] * 7 + ["xxxxxxxx.", "xxxxxxxxx"]

    def test_apart_a_picture_sees_itself_and_no_question_another(self) -> None:
        batch = batch_of([FRAME], [[((5,), (8,)), ((6,), (9,))]], joined=False)
        assert seen(batch, 0) == ["xxxx...."] * 4 + ["xxxxx...", "xxxxxx..", "xxxx..x.", "xxxx..xx"]

    def test_every_question_goes_on_from_the_picture(self) -> None:
        batch = batch_of([FRAME], [[(PROMPT, ANSWER), ((5,), (8,))]], joined=False)
        assert batch.places[0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 4, 5]

    def test_the_loss_counts_answers_alone_long_ones_less_per_token(self) -> None:
        batch = batch_of([FRAME, FRAME], [[(PROMPT, ANSWER)], [((5,), (8,))]], joined=True)
        half = 2**-0.5
        assert batch.weights[0].tolist() == pytest.approx([0, 0, 0, 0, 0, 0, half, half, 0])
        assert batch.weights[1].tolist() == pytest.approx([0, 0, 0, 0, 1, 0, 0, 0, 0])


class TestOptimizers:
    @pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 24), (3, 24, 8)])
    def test_orthogonal_matrices_have_singular_values_near_one(self, shape: tuple[int, ...]) -> None:
        matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        values = torch.linalg.svdvals(orthogonal(matrices))
        assert values.min() > 0.3 and values.max() < 1.3

    def test_steps_are_those_of_torch(self) -> None:
        """The library's Muon computes in bfloat16, so that its steps differ by about one percent."""
        model, other = (self.model() for _ in range(2))
        ours = Optimizers(model, model.parameters(), (0.1, 1e-3))
        theirs = torch.optim.Muon([other[1].weight, other[2].weight], lr=0.1, weight_decay=0.0)
        for seed in range(3):
            tokens = torch.arange(24) + seed
            ours.step(model(tokens).square().sum(), 1.0)
            theirs.zero_grad()
            other(tokens).square().sum().backward()
            other[0].weight.data, other[1].bias.data, other[2].bias.data = (
                model[0].weight.data.clone(),
                model[1].bias.data.clone(),
                model[2].bias.data.clone(),
            )
            theirs.step()
        for layer in (1, 2):
            torch.testing.assert_close(model[layer].weight, other[layer].weight, atol=0.02, rtol=0.02)

    @staticmethod
    def model() -> Any:
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Embedding(32, 6), torch.nn.Linear(6, 6), torch.nn.Linear(6, 10))


@pytest.fixture(scope="module")
def pools(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenes, "SHARD", 10)
        patch.setattr(scenes, "RESOLUTIONS", (112,))
        patch.setattr(examples, "SHARES", {"vqav2": 1, "xgqa": 1, "nlvr2": 1})
        folder = tmp_path_factory.mktemp("pools")
        scenes.build(folder / "scenes", 20)
        examples.build(folder / "pool", 8)
    return folder / "pool", folder / "scenes"


@pytest.fixture
def trained(
    pools: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[bytes, Path]]:
    """The weights of a short training into a named folder, and the folder."""
    monkeypatch.setattr(scenes, "SHARD", 10)
    monkeypatch.setattr(train, "STEPS", {112: (8, 4)})
    monkeypatch.setattr(train, "TOWER_STEPS", {112: 2})
    monkeypatch.setattr(train, "SAVE_EVERY", 0.0)
    pool, about = examples.Pool(pools[0]), scenes.Scenes(pools[1], 112)
    words = train.vocabulary(pool, about)

    def run(name: str) -> tuple[bytes, Path]:
        folder = tmp_path / name
        train.train(pool, about, words, folder, "0.3M", None, 1.0)
        return (folder / "model.safetensors").read_bytes(), folder

    return run


def test_a_training_that_was_stopped_ends_with_the_weights_of_one_that_was_not(
    trained: Callable[..., tuple[bytes, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = trained("whole")

    class Stopped(Exception):
        pass

    steps, stop_at = Optimizers.step, 9  # two of the image tower, seven of the model
    count = 0

    def step(self: Optimizers, loss: Any, share: float) -> None:
        nonlocal count
        count += 1
        if count == stop_at:
            raise Stopped
        steps(self, loss, share)

    with monkeypatch.context() as patch:
        patch.setattr(optimizers.Optimizers, "step", step)
        with pytest.raises(Stopped):
            trained("stopped")
    again, _ = trained("stopped")
    assert again == whole


def test_what_training_writes_is_a_checkpoint_like_any_other(trained: Callable[..., tuple[bytes, Path]]) -> None:
    from evalsuite.backends import torch_hf
    from evalsuite.backends.base import BackendOptions

    _, folder = trained("model")
    backend = torch_hf.create(BackendOptions(str(folder), {}, {"device": "cpu", "threads": "1"}))
    assert backend.describe()["family"] == "paligemma2"
    backend.close()
