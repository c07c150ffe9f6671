"""The layout is part of the product: folders, packaging, arrows between modules, and what starting up loads."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINKS = ("metrics", "reports", "task_specs")
TOP = {
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "constraints.txt",
    "evalsuite",
    "metrics",
    "task_specs",
    "reports",
    "tests",
    "benchmarks",
    "docs",
    "studies",
    "tools",
}
HEAVY = {"torch", "transformers", "datasets", "pandas", "rdkit", "matplotlib", "numpy", "pydantic", "pyarrow", "PIL"}


def modules() -> dict[str, Path]:
    """Installed module names of all our Python files."""
    found = {}
    for path in (ROOT / "evalsuite").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = path
    for folder in LINKS:
        for path in (ROOT / folder).rglob("*.py"):
            found["evalsuite." + ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")] = (
                path
            )
    return found


def imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Our modules that a file imports, inside functions too, except for type checking only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("evalsuite"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    known = modules()
    return {name: set(imports(path, known)) - {name} for name, path in known.items()}


def test_the_top_level_is_fixed() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split("\n")
    top = {line.split("/")[0] for line in tracked if line}
    assert {name for name in top if not name.startswith(".")} <= TOP


def test_the_packages_of_the_build_are_the_folders_with_python_files() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {name for name, path in modules().items() if path.name == "__init__.py"}
    assert set(packages) == folders


@pytest.mark.parametrize("name", LINKS)
def test_the_links_show_the_installed_picture(name: str) -> None:
    assert (ROOT / "evalsuite" / name).resolve() == ROOT / name


def test_no_module_imports_in_a_circle(graph: dict[str, set[str]]) -> None:
    finished: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"circle: {' -> '.join([*trail[trail.index(name) :], name])}"
        if name in finished:
            return
        for target in sorted(graph[name] & graph.keys()):
            visit(target, (*trail, name))
        finished.add(name)

    for name in sorted(graph):
        visit(name, ())


@pytest.mark.parametrize(
    ("room", "allowed"),
    [
        ("evalsuite.metrics", ("evalsuite.metrics", "evalsuite.errors")),
        (
            "evalsuite.backends",
            ("evalsuite.backends", "evalsuite.errors", "evalsuite.types", "evalsuite.media.preparation"),
        ),
        (
            "evalsuite.reports",
            (
                "evalsuite.reports",
                "evalsuite.errors",
                "evalsuite.redaction",
                "evalsuite.runs.folder",
                "evalsuite.runs.results",
                "evalsuite.runs.store",
                "evalsuite.types",
            ),
        ),
        (
            "evalsuite.inspection",
            (
                "evalsuite.inspection",
                "evalsuite.data",
                "evalsuite.errors",
                "evalsuite.media.images",
                "evalsuite.metrics",
                "evalsuite.asking.requests",
                "evalsuite.runs.folder",
                "evalsuite.specs",
                "evalsuite.types",
                "evalsuite.media.video",
            ),
        ),
        ("evalsuite.runs.store", ("evalsuite.errors", "evalsuite.types")),
        ("evalsuite.types", ("evalsuite.errors",)),
        ("evalsuite.errors", ()),
    ],
)
def test_arrows_go_one_way(graph: dict[str, set[str]], room: str, allowed: tuple[str, ...]) -> None:
    wrong = [
        f"{name} imports {target}"
        for name, targets in graph.items()
        if name == room or name.startswith(room + ".")
        for target in targets
        if not any(target == place or target.startswith(place + ".") for place in allowed)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "code", ["import evalsuite", "import sys; sys.argv = ['evalsuite', '--help']; import evalsuite.__main__"]
)
def test_starting_up_loads_no_heavy_package(code: str) -> None:
    script = f"import sys\ntry:\n    exec({code!r})\nexcept SystemExit:\n    pass\nprint(*sys.modules, file=sys.stderr)"
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stderr
    assert {name.split(".")[0] for name in loaded.split()} & HEAVY == set()


def test_no_file_is_too_long_to_read_at_once() -> None:
    long = [
        f"{path.name}: {lines}" for path in modules().values() if (lines := len(path.read_text().splitlines())) > 500
    ]
    assert long == []


def test_a_wheel_built_from_the_sdist_holds_specs_tables_templates_and_published_numbers(tmp_path: Path) -> None:
    clone = tmp_path / "source"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(clone)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for needed in (
        "evalsuite/task_specs/vqa/vqav2.yaml",
        "evalsuite/task_specs/README.md",
        "evalsuite/py.typed",
        "evalsuite/reports/published/paligemma2_table13_scaling.csv",
        "evalsuite/metrics/answers/anls.py",
    ):
        assert needed in names
    assert not [name for name in names if name.startswith(("metrics/", "reports/", "task_specs/", "tests/"))]
    _runs_beside_modules_of_the_same_name(wheel, tmp_path)


def _runs_beside_modules_of_the_same_name(wheel: Path, tmp_path: Path) -> None:
    """``python -m evalsuite`` from a folder that has its own metrics.py and reports.py uses ours."""
    installed, project = tmp_path / "installed", tmp_path / "project"
    project.mkdir()
    for name in LINKS:
        (project / f"{name}.py").write_text("raise RuntimeError('the user\\'s own module was imported')")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(installed), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    code = (
        f"import sys; sys.path.insert(1, {str(installed)!r}); import runpy; sys.argv = ['evalsuite', 'metrics']; "
        "runpy.run_module('evalsuite', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0 and "anls" in done.stdout, done.stderr
