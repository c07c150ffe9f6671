"""Which backends can run here. What each needs, its own module declares as ``NEEDS``."""

from __future__ import annotations

import contextlib
import importlib.metadata
import sys

from evalsuite.backends import BACKENDS, backend_module, package_of, plug_ins
from evalsuite.backends.installed import look, requirements
from evalsuite.backends.needs import Needs
from evalsuite.doctor.findings import Finding
from evalsuite.errors import BackendError


def backends() -> list[Finding]:
    """Every backend that ships, then those of installed packages. No framework is imported, unless a plug-in does."""
    ours = [_finding(name, backend_module(name).NEEDS) for name in sorted(BACKENDS)]
    return [*ours, *(_plug_in(entry) for _, entry in sorted(plug_ins().items()))]


def _finding(name: str, needs: Needs, package: str = "") -> Finding:
    lacks: list[str] = []
    how: list[str] = []
    can_run: bool | None = True
    if needs.packages is not None and (lacking := needs.packages.lacking()):
        can_run = False
        lacks += [found.problem for found in lacking]
        how.append(needs.packages.way_out)
    if needs.program is not None and needs.program.find() is None:
        can_run = None if can_run else can_run
        lacks.append(f"no program {needs.program.name} on the PATH; whether one lies elsewhere cannot be known")
        how.append(needs.program.way_out)
    for option, packages in needs.options.items() if can_run else ():
        if lacking := packages.lacking():
            lacks.append(f"{', '.join(found.problem for found in lacking)}: for --option {option}")
            how.append(packages.way_out)
    how += [f"give {text}" for text in needs.given]
    return Finding(name, can_run, tuple(lacks), tuple(dict.fromkeys(how)), package)


def _plug_in(entry: importlib.metadata.EntryPoint) -> Finding:
    """Whether its package has what it asked pip for, and loads; then what its module declares, if it does."""
    package = package_of(entry)
    wanted = requirements(distribution=package)
    problems = [problem for name, versions in wanted.items() if (problem := look(name, versions).problem)]
    if problems:
        return Finding(entry.name, False, tuple(problems), (f"pip install --upgrade {package}",), package)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what it prints must not stand in our JSON
            module = backend_module(entry.name)
    except BackendError as error:
        way_out = f"mend the package {package}, or remove it: pip uninstall {package}"
        return Finding(entry.name, False, (str(error),), (way_out,), package)
    needs = getattr(module, "NEEDS", None)
    return _finding(entry.name, needs if isinstance(needs, Needs) else Needs(), package)
