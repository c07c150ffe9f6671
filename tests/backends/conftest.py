"""What backend tests share: small images, requests, and tiny models in a cache of their own."""

from __future__ import annotations

import importlib
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evalsuite.backends.base import BackendOptions
from evalsuite.types import Decoding, ExampleKey, ImagePreparation, Request


@dataclass(frozen=True)
class Clip:
    """A visual of coloured tiles: ``frame_count`` images made from ``seed``. ``opened`` counts the openings."""

    seed: int
    frame_count: int = 1
    opened: list[int] = field(default_factory=list, compare=False)

    def frames(self) -> list[Image.Image]:
        self.opened.append(self.seed)
        generator = np.random.default_rng(self.seed)
        return [self._tiles(generator) for _ in range(self.frame_count)]

    @staticmethod
    def _tiles(generator: np.random.Generator) -> Image.Image:
        tiles = generator.integers(0, 256, (4, 5, 3), dtype=np.uint8)
        return Image.fromarray(tiles).resize((80, 60), Image.Resampling.NEAREST)


@pytest.fixture
def clip() -> type[Clip]:
    return Clip


@pytest.fixture(scope="session")
def make_request() -> Callable[..., Request]:
    """``make_request(prompt, visuals, max_new_tokens=..., ...)``; visuals are Clip objects or seeds of stills."""

    def make(prompt: str = "answer en how many dogs?", visuals: Any = (1,), **settings: Any) -> Request:
        opened = tuple(Clip(visual) if isinstance(visual, int) else visual for visual in visuals)
        decoding = {key: settings.pop(key) for key in ("beam_size", "log_probabilities") if key in settings}
        budget = settings.pop("max_new_tokens", 12)
        key = ExampleKey("task", "val", settings.pop("id", f"{prompt}/{[v.seed for v in opened]}"))
        settings.setdefault("preparation", ImagePreparation())
        return Request(key, prompt, opened, Decoding(budget, **decoding), **settings)

    return make


@pytest.fixture(scope="session")
def mixed_requests(make_request: Callable[..., Request]) -> Callable[..., list[Request]]:
    """Requests that differ in prompt length and in number of images and frames, none and several included."""

    def make(**settings: Any) -> list[Request]:
        cases: list[tuple[str, tuple[Any, ...]]] = [
            ("answer en how many dogs?", (1,)),
            ("", (2,)),
            ("caption en", (3, 4)),
            ("what is on the left of the red circle, and what is behind it?", (Clip(5, 4),)),
            ("answer en is this true or false?", ()),
            ("détecter un chien\net un chat", (6,)),
            ("ocr", (Clip(7, 2), 8)),
            ("segment the second dog from the left", (9,)),
            ("caption en", (10,)),
        ]
        return [make_request(prompt, visuals, id=str(i), **settings) for i, (prompt, visuals) in enumerate(cases)]

    return make


@pytest.fixture(scope="session", autouse=True)
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Tiny models of the tests stay out of the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVALSUITE_CACHE", str(folder))
        yield folder


Loader = Callable[..., Any]
BIG_VISION = Path(__file__).with_name("big_vision_file.py")


@contextmanager
def _loader(room: str, **usual: str) -> Iterator[Loader]:
    """``load(model, attributes, **options)``: backends of one package, each made once and closed at the end."""
    create = importlib.import_module(f"evalsuite.backends.{room}").create
    loaded: dict[str, Any] = {}

    def load(model: str | Path = "tiny", attributes: dict[str, Any] | None = None, **options: str) -> Any:
        settings = {**usual, **options}
        name = repr((str(model), attributes, sorted(settings.items())))
        if name not in loaded:
            loaded[name] = create(BackendOptions(str(model), attributes or {}, settings))
        return loaded[name]

    yield load
    for backend in loaded.values():
        backend.close()


@pytest.fixture(scope="session")
def torch_backend(model_cache: Path) -> Iterator[Loader]:
    """``torch_backend(model, attributes, **options)``: a backend on one CPU thread, loaded once per session."""
    with _loader("torch_hf", device="cpu", threads="1") as load:
        yield load


@pytest.fixture(scope="session")
def jax_backend(model_cache: Path) -> Iterator[Loader]:
    """``jax_backend(model, attributes, **options)``: a backend on one CPU device, loaded once per session."""
    with _loader("jax_paligemma", device="cpu") as load:
        yield load


@pytest.fixture(scope="session")
def cpu_backend(model_cache: Path) -> Iterator[Loader]:
    """``cpu_backend(model, attributes, **options)``: a backend on one thread, loaded once per session."""
    with _loader("openvino_cpu", threads="1") as load:
        yield load


@pytest.fixture
def edited(model_cache: Path, tmp_path: Path) -> Callable[..., Path]:
    """``edited(weights, config, family)``: a tiny checkpoint of its own, its tensors and config changed in place."""
    from safetensors.numpy import load_file, save_file

    from evalsuite.backends.tiny.checkpoint import tiny_checkpoint

    numbers = itertools.count()

    def make(
        weights: Callable[[dict[str, Any]], object] | None = None,
        config: Callable[[dict[str, Any]], object] | None = None,
        family: str = "paligemma2",
    ) -> Path:
        folder = Path(shutil.copytree(tiny_checkpoint(family), tmp_path / f"edited{next(numbers)}"))
        if weights is not None:
            tensors = load_file(folder / "model.safetensors")
            weights(tensors)
            save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        if config is not None:
            values = json.loads((folder / "config.json").read_text())
            config(values)
            (folder / "config.json").write_text(json.dumps(values))
        return folder

    return make


@pytest.fixture(scope="session")
def answers() -> Callable[..., list[Any]]:
    """``answers(backend, requests, batch_size)``: prepare and generate, in order."""

    def run(backend: Any, requests: list[Request], batch_size: int) -> list[Any]:
        prepared = [backend.prepare(request) for request in requests]
        batches = [prepared[i : i + batch_size] for i in range(0, len(prepared), batch_size)]
        return [generation for batch in batches for generation in backend.generate(batch)]

    return run


@pytest.fixture(scope="session")
def big_vision_arrays(model_cache: Path, load_module: Callable[[Path], Any]) -> Callable[[str], dict[str, Any]]:
    """``big_vision_arrays(family)``: the tiny checkpoint under big_vision's names, up to its last token."""
    from safetensors.numpy import load_file

    from evalsuite.backends.tiny.checkpoint import tiny_checkpoint
    from evalsuite.backends.tiny.tokenizer import IMAGE_TOKEN_ID

    def make(family: str) -> dict[str, Any]:
        folder = tiny_checkpoint(family)
        config = json.loads((folder / "config.json").read_text())
        values: dict[str, Any] = load_module(BIG_VISION).arrays(
            load_file(folder / "model.safetensors"), config, IMAGE_TOKEN_ID
        )
        return values

    return make


@pytest.fixture(scope="session")
def write_npz(load_module: Callable[[Path], Any]) -> Callable[..., Path]:
    """``write_npz(path, arrays, dtype)``: the file, as big_vision saves it."""
    write: Callable[..., Path] = load_module(BIG_VISION).write
    return write
