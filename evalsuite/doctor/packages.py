"""Which packages are installed, by the extra that brings them. The lists are those of evalsuite's own metadata."""

from __future__ import annotations

from dataclasses import dataclass

from evalsuite.backends.installed import Package, look, requirements

EXTRAS = {
    "": "everything",
    "torch": "--backend torch",
    "jax": "--backend jax",
    "cpu": "--backend cpu",
    "quantized": "8- and 4-bit weights, and several GPUs, of --backend torch",
    "ray": "--engine ray",
    "radgraph": "RadGraph F1 from a model",
    "java-captions": "METEOR and SPICE",
}
"""Every extra for users -> what it is for. "" is the plain install."""

SERVES = {
    "av": "for video files",
    "protobuf": "for checkpoints that carry only tokenizer.model",
    "sentencepiece": "for checkpoints that carry only tokenizer.model",
}
"""Packages of an extra whose lack blocks only a part of what it is for."""


@dataclass(frozen=True, slots=True)
class Extra:
    """An extra and its packages, as they are installed here. name: "" for the plain install."""

    name: str
    purpose: str
    packages: tuple[Package, ...]

    @property
    def lacks(self) -> list[str]:
        """What is missing or too old, and for what, where that is only a part of the purpose."""
        return [
            f"{package.problem}, {SERVES[package.name]}" if package.name in SERVES else package.problem
            for package in self.packages
            if package.problem
        ]

    @property
    def how(self) -> list[str]:
        install = f"pip install 'evalsuite[{self.name}]'" if self.name else "pip install evalsuite"
        return [install] if self.lacks else []


def extras() -> list[Extra]:
    """Every extra that the installed evalsuite states; empty where it runs from a checkout that is not installed."""
    stated = {name: requirements(name) for name in EXTRAS}
    return [
        Extra(name, EXTRAS[name], tuple(look(package, wanted) for package, wanted in packages.items()))
        for name, packages in stated.items()
        if packages
    ]
