"""PaliGemma through a gemma.cpp program that the user has built: one process per example.

gemma.cpp (https://github.com/google/gemma.cpp) runs PaliGemma and PaliGemma 2 on CPUs, from ``.sbs`` files of weights.
Tables 9 and 10 of the PaliGemma 2 paper were measured with it. Its command line reads one image as a binary PPM file,
so pixels are prepared here, as the papers did.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.backends.base import BackendOptions, BatchLimits, Facts, Prepared
from evalsuite.backends.checkpoints.fingerprints import digest
from evalsuite.backends.checkpoints.identity import file_facts
from evalsuite.backends.needs import Needs, Program
from evalsuite.backends.settings import Settings
from evalsuite.errors import BackendError, ExampleError, UsageError
from evalsuite.media.preparation import prepare_frames
from evalsuite.types import END, Generation, JsonValue, Request

SIZES, RESOLUTIONS = ("3B", "10B"), (224, 448)
"""What gemma.cpp has a configuration for (its ``gemma/configs.cc``)."""
PATCH = 14
PROGRAM = Program("gemma", option="binary", source="build gemma.cpp")
NEEDS = Needs(program=PROGRAM, given=("--model WEIGHTS.sbs",))


@dataclass(frozen=True)
class GemmaCppOptions:
    """What ``--option name=value`` may set.

    binary: the ``gemma`` program. tokenizer: its SentencePiece file, where the weights do not hold it. threads: of one
    process; None leaves it to the program. processes: examples that run at once. timeout: seconds for one example.
    beams: ``refuse`` what the papers decode with beam search, or answer it ``greedy``, which gives lower values.
    """

    binary: str
    tokenizer: str | None
    threads: int | None
    processes: int
    timeout: int
    beams: str

    @classmethod
    def read(cls, values: Mapping[str, str]) -> GemmaCppOptions:
        """Raises UsageError for an unknown name or a wrong value."""
        settings = Settings("gemma_cpp", values)
        options = cls(
            binary=settings.text("binary", PROGRAM.name),
            tokenizer=settings.text("tokenizer", "") or None,
            threads=settings.integer("threads", None),
            processes=settings.integer("processes", None) or 1,
            timeout=settings.integer("timeout", None) or 600,
            beams=settings.choice("beams", ("refuse", "greedy"), "refuse"),
        )
        settings.finish()
        return options


def check(options: BackendOptions) -> None:
    """Raise BackendError or UsageError when program, weights, size or resolution are not there or do not fit."""
    _Program.find(options)


def identity(options: BackendOptions) -> Facts:
    """The weights, the program, and a tokenizer beside them."""
    program = _Program.find(options)
    facts = {**file_facts({program.weights.name: program.weights}, "weights")}
    facts |= file_facts({program.binary.name: program.binary}, "program")
    if program.settings.tokenizer:
        path = Path(program.settings.tokenizer).expanduser()
        facts |= file_facts({path.name: path}, "tokenizer")
    return facts


def create(options: BackendOptions) -> GemmaCpp:
    return GemmaCpp(_Program.find(options), options)


@dataclass(frozen=True)
class _Program:
    """What is run, all of it checked."""

    binary: Path
    weights: Path
    resolution: int
    settings: GemmaCppOptions

    @classmethod
    def find(cls, options: BackendOptions) -> _Program:
        settings = GemmaCppOptions.read(options.options)
        found = PROGRAM.find(settings.binary)
        if found is None:
            raise BackendError(f"backend gemma_cpp: there is no program {settings.binary!r}: {PROGRAM.way_out}")
        if options.model is None:
            raise UsageError("backend gemma_cpp: --model is the weights file, such as paligemma2-3b-mix-224.sbs")
        weights = Path(options.model).expanduser()
        if not weights.is_file():
            raise BackendError(
                f"model {options.model}: there is no such file. gemma.cpp needs weights as one .sbs file"
            )
        if settings.tokenizer and not Path(settings.tokenizer).expanduser().is_file():
            raise BackendError(f"option tokenizer={settings.tokenizer}: there is no such file")
        return cls(Path(found), weights, _resolution(options, weights), settings)

    def arguments(self, image: Path, prompt: Path, budget: int) -> list[str]:
        """The command line; the prompt goes through a file, so that nothing of it is read as an option."""
        settings = self.settings
        arguments = [str(self.binary), "--weights", str(self.weights), "--image_file", str(image)]
        if settings.tokenizer:
            arguments += ["--tokenizer", str(Path(settings.tokenizer).expanduser())]
        if settings.threads:
            arguments += ["--num_threads", str(settings.threads)]
        arguments += ["--prompt_file", str(prompt), "--max_generated_tokens", str(budget)]
        return [*arguments, "--temperature", "0", "--top_k", "1", "--deterministic", "1", "--verbosity", "0"]


class GemmaCpp:
    """A :class:`~evalsuite.backends.base.Backend` over the program."""

    def __init__(self, program: _Program, options: BackendOptions) -> None:
        self._program = program
        self._pool = ThreadPoolExecutor(program.settings.processes, thread_name_prefix="gemma_cpp")
        self._facts: dict[str, JsonValue] = {
            "backend": "gemma_cpp",
            "model": str(options.model),
            "fingerprint": digest(program.weights),
            "program": _digest(program.binary),
            "resolution": program.resolution,
            "beams": program.settings.beams,
            "image_pipeline": "reference",
            "versions": {"gemma.cpp": _version(program.binary)},
        }

    @property
    def limits(self) -> BatchLimits:
        return BatchLimits(self._program.settings.processes)

    def describe(self) -> Mapping[str, JsonValue]:
        return dict(self._facts)

    def prepare(self, request: Request) -> Prepared:
        """The image as PPM bytes. Raises ExampleError for anything but one still image, or a broken one."""
        if sum(visual.frame_count for visual in request.visuals) != 1:
            raise ExampleError(f"{request.key}: gemma.cpp takes exactly one image, not several, none or a clip")
        if request.decoding.beam_size > 1 and self._program.settings.beams == "refuse":
            raise ExampleError(
                f"{request.key}: gemma.cpp has no beam search, which the papers used here. --option beams=greedy "
                "decodes greedily instead, for lower values"
            )
        if request.decoding.forbidden:
            raise ExampleError(f"{request.key}: gemma.cpp cannot forbid tokens, which this task needs")
        side = self._program.resolution
        pixels = prepare_frames(request.visuals[0].frames(), side, request.preparation)[0]
        image = b"P6\n%d %d\n255\n" % (side, side) + pixels.astype("uint8").tobytes()
        tokens = (side // PATCH) ** 2 + len(request.prompt) // 3 + request.decoding.max_new_tokens
        return Prepared(request, image, tokens, group=request.decoding, nbytes=len(image))

    def generate(self, batch: Sequence[Prepared]) -> list[Generation]:
        """Raises BackendError when the program cannot be started; what goes wrong with one example is its error."""
        return list(self._pool.map(self._answer, batch))

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _answer(self, item: Prepared) -> Generation:
        request, started = item.request, time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="evalsuite-gemma-") as folder:
            image, prompt = Path(folder, "image.ppm"), Path(folder, "prompt.txt")
            image.write_bytes(item.payload)
            prompt.write_bytes(request.prompt.encode("utf-8", "replace"))
            arguments = self._program.arguments(image, prompt, request.decoding.max_new_tokens)
            code, output, complaint = _run(arguments, self._program.settings.timeout)
        seconds = time.perf_counter() - started
        if code is None:
            error = f"gemma.cpp gave no answer within {self._program.settings.timeout} s (--option timeout=…)"
            return Generation(request.key, "", seconds=seconds, error=error)
        if code != 0:
            reason = complaint.strip().splitlines()[-1:] or ["no message"]
            return Generation(
                request.key, "", seconds=seconds, error=f"gemma.cpp ended with status {code}: {reason[0]}"
            )
        text, ended = read_answer(output)
        return Generation(request.key, text, seconds=seconds, ended=ended)


def read_answer(output: bytes) -> tuple[str, str | None]:
    """The answer in what the program prints: all but the line breaks around it and an end-of-sequence mark.

    And END where the mark is there; without one, whether the model or the limit ended the answer is not known.
    """
    text = output.decode("utf-8", "replace").replace("\r\n", "\n")
    plain = re.sub(r"<eos>\s*$", "", text)
    return plain.strip("\n"), END if plain != text else None


def _run(arguments: list[str], timeout: float) -> tuple[int | None, bytes, str]:
    """(exit status, or None when time ran out; standard output; standard error). The whole process group is ended."""
    try:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise BackendError(f"backend gemma_cpp: {arguments[0]} cannot be started ({error.strerror})") from error
    try:
        output, complaint = process.communicate(timeout=timeout)
    except BaseException as error:
        _end(process)
        if isinstance(error, subprocess.TimeoutExpired):
            return None, b"", ""
        raise
    return process.returncode, output, complaint.decode("utf-8", "replace")


def _end(process: subprocess.Popen[Any]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _resolution(options: BackendOptions, weights: Path) -> int:
    """From the run's attribute, else from the name of the weights file."""
    size = options.attributes.get("size")
    if size is not None and str(size).upper() not in SIZES:
        raise UsageError(f"attribute size={size}: gemma.cpp runs PaliGemma of size {' or '.join(SIZES)} only")
    asked = options.attributes.get("resolution")
    if asked is None:
        named = re.search(r"(?<!\d)(224|448|896)(?!\d)", weights.name)
        asked = named[1] if named else None
    if asked is None:
        raise UsageError(f"model {weights}: its resolution is unknown. Give --set resolution=224 or 448")
    if str(asked) not in map(str, RESOLUTIONS):
        raise UsageError(
            f"resolution {asked}: gemma.cpp runs PaliGemma at {' or '.join(map(str, RESOLUTIONS))} px only"
        )
    return int(str(asked))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version(binary: Path) -> str:
    """What the program says of itself under ``--version``, or "unknown": older builds do not say it."""
    try:
        code, output, _ = _run([str(binary), "--version"], timeout=20)
    except BackendError:
        return "unknown"
    found = re.search(r"\d+(\.\d+)+\S*", output.decode("utf-8", "replace"))
    return found[0] if code == 0 and found else "unknown"
