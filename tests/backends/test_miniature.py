"""The miniature family that comes with the package: real checkpoints whose answers mean something."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from evalsuite.asking.requests import RequestBuilder
from evalsuite.backends.base import BackendOptions
from evalsuite.backends.checkpoints.resolve import check_model, resolve
from evalsuite.backends.miniature import RESOLUTIONS, SIZES, miniature_checkpoint
from evalsuite.data import open_task_data
from evalsuite.errors import UsageError
from evalsuite.specs import TaskRegistry
from evalsuite.types import Example, Generation, Request

Load = Callable[..., Any]
Answers = Callable[..., list[Generation]]
CELLS = [(size, resolution) for size in SIZES for resolution in RESOLUTIONS]
TASKS = ("vqav2", "tallyqa", "pope", "textvqa", "nlvr2", "cococap", "xgqa", "science_qa", "refcoco", "docvqa")
TOGETHER = 20  # requests of a task; batches of as many have one kind of decoding each, as a run's batches do
SMALL = {"size": "0.3M", "resolution": 112}


def asked(task: str, count: int) -> Iterator[tuple[Example, Request]]:
    """Examples of the first split of a task, and what a model is asked."""
    spec = TaskRegistry(plugins=False).select(task)[0]
    build = RequestBuilder(spec)
    for example in islice(open_task_data(spec, "synthetic", scale=4).examples(spec.splits[0].name), count):
        assert isinstance(example, Example)
        yield example, build(example)


@pytest.fixture(scope="module")
def requests() -> list[Request]:
    """200 requests of ten tasks, with one and two images, in several languages and scripts, one task after another."""
    return [request for task in TASKS for _, request in asked(task, TOGETHER)]


def texts(generations: list[Generation]) -> list[str]:
    return [generation.text for generation in generations]


class TestCheckpoints:
    def test_all_nine_fit_into_20_megabytes(self) -> None:
        files = [file for size, side in CELLS for file in folder(size, side).iterdir()]
        assert sum(file.stat().st_size for file in files) <= 20_000_000

    @pytest.mark.parametrize(("size", "resolution"), CELLS)
    def test_each_is_a_paligemma_2_of_the_size_its_name_says(self, size: str, resolution: int) -> None:
        from safetensors import safe_open

        options = BackendOptions("miniature", {"size": size, "resolution": resolution}, {})
        checkpoint = resolve(options)
        assert checkpoint.family == "paligemma2" and checkpoint.resolution == resolution
        patches = resolution // checkpoint.config["vision_config"]["patch_size"]
        assert patches**2 == {112: 16, 224: 64, 448: 256}[resolution]
        with safe_open(checkpoint.folder / "model.safetensors", "np") as file:
            slices = [file.get_slice(name) for name in file.keys()]  # noqa: SIM118
        assert {part.get_dtype() for part in slices} == {"BF16"}
        parameters = sum(product(part.get_shape()) for part in slices)
        assert parameters / 1e6 == pytest.approx(float(size.removesuffix("M")), abs=0.06)

    def test_without_a_model_a_run_uses_the_middle_one(self) -> None:
        assert resolve(BackendOptions(None, {}, {})).folder == miniature_checkpoint({}) == folder("0.8M", 224)

    @pytest.mark.parametrize(
        ("attributes", "message"),
        [
            ({"size": "3B"}, r"model miniature: unknown size '3B'.*0\.3M, 0\.8M, 1\.9M"),
            ({"resolution": 896}, r"model miniature: unknown resolution '896'.*112, 224, 448"),
        ],
    )
    def test_another_size_is_refused_before_anything_is_loaded(self, attributes: dict[str, Any], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            check_model(BackendOptions("miniature", attributes, {}))

    def test_the_model_card_names_all_of_them(self) -> None:
        card = (folder("0.3M", 112).parent / "MODEL_CARD.md").read_text("utf-8")
        assert all(f"{size}-{side}" in card for size, side in CELLS)


def folder(size: str, resolution: int) -> Path:
    return miniature_checkpoint({"size": size, "resolution": resolution})


def product(numbers: list[int]) -> int:
    total = 1
    for number in numbers:
        total *= number
    return total


class TestAnswers:
    @pytest.mark.parametrize("task", ["vqav2", "pope", "tallyqa", "xgqa"])
    def test_they_come_from_the_image(self, task: str, torch_backend: Load, answers: Answers) -> None:
        """With every image exchanged for that of another question, far fewer answers are right."""
        backend = torch_backend("miniature")
        pairs = list(asked(task, 96))
        half = len(pairs) // 2  # neighbours may ask about one image
        shifted = [request.visuals for _, request in pairs[half:] + pairs[:half]]
        with_others = [replace(request, visuals=visuals) for (_, request), visuals in zip(pairs, shifted, strict=True)]
        right = share_right(pairs, answers(backend, [request for _, request in pairs], 16))
        blind = share_right(pairs, answers(backend, with_others, 16))
        assert right >= blind + 0.1

    def test_they_are_the_same_in_batches_of_any_size(
        self, requests: list[Request], torch_backend: Load, answers: Answers
    ) -> None:
        backend = torch_backend("miniature", SMALL)
        alone, together = (texts(answers(backend, requests, size)) for size in (1, TOGETHER))
        assert together == alone

    def test_jax_gives_those_of_torch(self, requests: list[Request], torch_backend: Load, answers: Answers) -> None:
        pytest.importorskip("jax", reason="the jax extra is not installed")
        from evalsuite.backends import jax_paligemma

        backend = jax_paligemma.create(BackendOptions("miniature", SMALL, {"device": "cpu"}))
        found = texts(answers(backend, requests, TOGETHER))
        backend.close()
        assert found == texts(answers(torch_backend("miniature", SMALL), requests, TOGETHER))

    def test_the_cpu_backend_gives_those_of_torch_in_float32(
        self, requests: list[Request], cpu_backend: Load, torch_backend: Load, answers: Answers
    ) -> None:
        pytest.importorskip("openvino", reason="the cpu extra is not installed")
        found = texts(answers(cpu_backend("miniature", SMALL, precision="float32"), requests, TOGETHER))
        assert found == texts(answers(torch_backend("miniature", SMALL), requests, TOGETHER))

    @pytest.mark.parametrize("precision", ["int8", "bf16"])
    def test_most_stay_the_same_in_fewer_bits(
        self, precision: str, requests: list[Request], cpu_backend: Load, torch_backend: Load, answers: Answers
    ) -> None:
        pytest.importorskip("openvino", reason="the cpu extra is not installed")
        short = [request for request in requests if request.key.task not in ("cococap", "refcoco", "docvqa")]
        found = texts(answers(cpu_backend("miniature", SMALL, precision=precision), short, TOGETHER))
        exact = texts(answers(torch_backend("miniature", SMALL), short, TOGETHER))
        same = sum(one == other for one, other in zip(found, exact, strict=True))
        assert same >= 0.9 * len(short)

    def test_beam_search_finds_likelier_ones_than_greedy(self, torch_backend: Load, answers: Answers) -> None:
        backend = torch_backend("miniature", SMALL)
        captions = [request for _, request in asked("cococap", 16)]

        def likelihood(beam_size: int) -> list[float]:
            found = answers(backend, [decoded(request, beam_size) for request in captions], 16)
            given = [[generation.text] for generation in found]
            prepared = [backend.prepare(request) for request in captions]
            return [sum(tokens) for (tokens,) in backend.score_answers(prepared, given)]

        assert sum(likelihood(3)) > sum(likelihood(1))


def decoded(request: Request, beam_size: int) -> Request:
    return replace(request, decoding=replace(request.decoding, beam_size=beam_size))


def share_right(pairs: list[tuple[Example, Request]], found: list[Generation]) -> float:
    right = 0
    for (example, _), generation in zip(pairs, found, strict=True):
        reference = example.references[0]
        wanted = reference["answer"] if isinstance(reference, dict) else reference
        right += generation.text.strip().lower() == str(wanted).lower()
    return right / len(pairs)


def test_the_tokenizer_is_the_same_for_all() -> None:
    vocabularies = [json.loads((folder(size, side) / "tokenizer.json").read_text("utf-8")) for size, side in CELLS]
    assert all(vocabulary == vocabularies[0] for vocabulary in vocabularies)
