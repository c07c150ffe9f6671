"""Which packages are installed, and whether they are new enough, without importing them.

How new a package must be is written once, in pyproject.toml; what is installed carries it in its metadata. Run from a
checkout that is not installed, no version is too old.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import dataclass

OURS = "evalsuite"


@dataclass(frozen=True, slots=True)
class Package:
    """A package that is asked for.

    version: None where it is missing, "" where it does not say. wanted: such as ``>=5.20``; "" for any version.
    """

    name: str
    version: str | None
    wanted: str = ""

    @property
    def problem(self) -> str:
        """What is wrong with it, as a part of a sentence; "" where nothing is.

        >>> Package("torch", None).problem, Package("torch", "2.13.0+cpu", ">=2.6").problem
        ('torch is missing', '')
        >>> Package("torch", "1.13", ">=2.6").problem
        'torch 1.13 is too old (>=2.6)'
        """
        if self.version is None:
            return f"{self.name} is missing"
        misfit = _misfit(self.version, self.wanted)
        return f"{self.name} {self.version} {misfit} ({self.wanted})" if misfit else ""


def look(name: str, wanted: str = "", *, module: str = "") -> Package:
    """The package as it is installed here.

    module: what is imported of it; it is missing where this cannot be found, whatever is said of it.
    """
    version = version_of(name)
    if module:
        version = None if importlib.util.find_spec(module) is None else version or ""
    return Package(name, version, wanted)


def version_of(name: str) -> str | None:
    """None where the package is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def requirements(extra: str = "", distribution: str = OURS) -> dict[str, str]:
    """Name -> versions wanted of the packages that a distribution asks for, or of those that one extra adds.

    Empty where the distribution is not installed.
    """
    from packaging.requirements import Requirement

    try:
        lines = importlib.metadata.requires(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    found = {}
    for line in lines:
        try:
            requirement = Requirement(line)
        except ValueError:  # of another package, which we cannot mend
            continue
        if requirement.name != distribution and _belongs(requirement.marker, extra):  # an extra may name other extras
            found[requirement.name] = str(requirement.specifier)
    return found


def _belongs(marker: object, extra: str) -> bool:
    """Whether it is this extra that asks for a requirement; "" is the plain install."""
    from packaging.markers import Marker

    if not isinstance(marker, Marker):
        return not extra
    plain = marker.evaluate({"extra": ""})
    return marker.evaluate({"extra": extra}) and not plain if extra else plain


def _misfit(version: str, wanted: str) -> str:
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        have = Version(version)
    except InvalidVersion:  # nothing can be said
        return ""
    specifiers = SpecifierSet(wanted)
    if specifiers.contains(have, prereleases=True):
        return ""
    bounds = [Version(item.version) for item in specifiers if item.operator in (">=", ">", "~=")]
    return "is too old" if any(have <= bound for bound in bounds) else "does not fit"
