"""What a backend needs before it can run: packages, a program, and what is given with each run.

A backend's module declares it once, as ``NEEDS``. Its ``check`` refuses a run by it, and ``evalsuite doctor`` says by
it what is lacking; neither imports a framework.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field

from evalsuite.backends.installed import OURS, Package, look, requirements
from evalsuite.errors import MissingDependency


@dataclass(frozen=True, slots=True)
class Packages:
    """Packages that one extra brings; pip and ``import`` call them the same. The extra says how new they must be.

    distribution: whose extra it is.
    """

    extra: str
    names: tuple[str, ...]
    distribution: str = OURS

    @property
    def way_out(self) -> str:
        return f"pip install '{self.distribution}[{self.extra}]'"

    def lacking(self) -> list[Package]:
        """Those that are missing or too old."""
        wanted = requirements(self.extra, self.distribution)
        found = [look(name, wanted.get(name, ""), module=name) for name in self.names]
        return [package for package in found if package.problem]

    def require(self, what: str) -> None:
        """Raise MissingDependency for the first that is missing or too old. what: the part that needs them."""
        for package in self.lacking():
            needs = package.name
            if package.version is not None:
                what, needs = f"{what} (found {needs} {package.version})", f"{needs}{package.wanted}"
            raise MissingDependency(what, needs, way_out=self.way_out)


@dataclass(frozen=True, slots=True)
class Program:
    """A program that the user brings. It is looked for on the PATH; where else it lies, only ``option`` can say."""

    name: str
    option: str
    source: str

    @property
    def way_out(self) -> str:
        return f"{self.source} and give --option {self.option}=PATH/TO/{self.name} (docs/backends.md)"

    def find(self, given: str = "") -> str | None:
        """Its path, or None. given: the option's value."""
        return shutil.which(os.path.expanduser(given or self.name))


@dataclass(frozen=True, slots=True)
class Needs:
    """All that a backend needs.

    packages: without which it does not run. options: what an option asks for besides, such as ``device_map=auto``.
    given: what every run must give, as it stands on the command line.
    """

    packages: Packages | None = None
    options: Mapping[str, Packages] = field(default_factory=dict)
    program: Program | None = None
    given: tuple[str, ...] = ()
