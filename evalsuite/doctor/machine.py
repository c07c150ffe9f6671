"""What of evalsuite works on this machine: packages by extra, programs, and what their absence blocks."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from typing import Any

from evalsuite._version import __version__


@dataclass(frozen=True, slots=True)
class _Need:
    """A package, the extra that brings it (None: the plain install), and what it is for."""

    name: str
    extra: str | None
    purpose: str


NEEDS = (
    _Need("numpy", None, "everything"),
    _Need("click", None, "the command line"),
    _Need("rich", None, "tables and progress"),
    _Need("pydantic", None, "task specs"),
    _Need("pillow", None, "images"),
    _Need("datasets", None, "--data hub"),
    _Need("pyarrow", None, "results.parquet, Parquet data"),
    _Need("scipy", None, "metrics"),
    _Need("numba", None, "TEDS, intervals"),
    _Need("lxml", None, "TEDS"),
    _Need("rapidfuzz", None, "ANLS, TEDS"),
    _Need("pycocotools", None, "polygon masks"),
    _Need("rdkit", None, "molecules"),
    _Need("shapely", None, "text spotting"),
    _Need("jinja2", None, "HTML report"),
    _Need("torch", "torch", "--backend torch"),
    _Need("transformers", "torch", "--backend torch"),
    _Need("openvino", "cpu", "--backend cpu"),
    _Need("sentencepiece", "torch", "checkpoints that carry only tokenizer.model"),
    _Need("jax", "jax", "--backend jax"),
    _Need("av", "torch", "video files (video tasks with --data hub or files)"),
    _Need("radgraph", "radgraph", "RadGraph F1"),
    _Need("pycocoevalcap", "java-captions", "METEOR and SPICE"),
)


def examine() -> dict[str, Any]:
    """Facts as plain data: machine, packages, and one line per thing that is blocked."""
    versions = {need.name: _version(need.name) for need in NEEDS}
    return {
        "evalsuite": __version__,
        "machine": {
            "python": sys.version.split()[0],
            "platform": platform.platform(),
            "cores": os.cpu_count(),
            "memory_gb": _memory_gb(),
            "accelerator": _accelerator(),
        },
        "packages": [
            {"name": need.name, "extra": need.extra, "installed": versions[need.name], "blocks": need.purpose}
            for need in NEEDS
        ],
        "programs": {"java": shutil.which("java")},
        "blocked": [*_blocked_by_packages(versions), *_blocked_tasks(versions)],
    }


def _blocked_by_packages(versions: dict[str, str | None]) -> list[str]:
    lines = []
    for need in NEEDS:
        if versions[need.name] is None:
            install = (
                f"pip install 'evalsuite[{need.extra}]'" if need.extra else "pip install --force-reinstall evalsuite"
            )
            lines.append(f"{need.purpose}: {need.name} is missing ({install})")
    if versions["pycocoevalcap"] is not None and shutil.which("java") is None:
        lines.append("METEOR and SPICE: the program java is missing (install a Java runtime)")
    return lines


def _blocked_tasks(versions: dict[str, str | None]) -> list[str]:
    """Tasks whose metrics or data cannot work here, by id."""
    from evalsuite.errors import EvalsuiteError
    from evalsuite.metrics import load_metric
    from evalsuite.specs import TaskRegistry
    from evalsuite.specs.overrides import with_metric_options

    lines = []
    try:
        specs = TaskRegistry().select("all")
    except EvalsuiteError as error:  # a package that joins broken specs
        lines.append(str(error))
        specs = TaskRegistry(plugins=False).select("all")
    for spec in specs:
        for use in with_metric_options(spec, {}).metrics:  # without the optional ones
            try:
                load_metric(use.name, **use.parameters).check()
            except EvalsuiteError as error:
                lines.append(f"task {spec.id}: {error}")
                continue
            if caution := load_metric(use.name, **use.parameters).caution():
                lines.append(f"published values of task {spec.id}: {caution}")
        if spec.fields.video and versions["av"] is None:
            lines.append(f"task {spec.id} with --data hub or files: av is missing (pip install 'evalsuite[torch]')")
    return lines


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _memory_gb() -> float:
    import psutil

    return float(round(psutil.virtual_memory().total / 2**30, 1))


def _accelerator() -> str:
    """What torch would compute on, where torch is installed."""
    if _version("torch") is None:
        return "not known (torch is not installed)"
    try:
        import torch
    except Exception as error:  # an installation that does not fit this machine fails in many ways
        return f"not known (torch cannot be imported: {error})"
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}"
    return "Apple GPU" if torch.backends.mps.is_available() else "none"
