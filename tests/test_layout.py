"""The layout is part of the product: folders, packaging, arrows between modules, and what starting up loads."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections import Counter
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
    """Our modules that a file imports, inside functions and for type checking too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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


def rooms() -> dict[str, set[str]]:
    """Room -> the rooms that it may import, from docs/architecture.md, the one place where arrows are written."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|[^|]+\|([^|]*)\|$", text, re.MULTILINE)
    return {room: {word.strip() for word in allowed.split(",") if word.strip()} for room, allowed in rows}


def room_of(module: str) -> str:
    """``scoring`` for ``evalsuite.scoring.rows``; the package itself and ``__main__`` are doors to what they open."""
    return module.split(".")[1] if "." in module else ""


def test_the_map_names_every_room_and_no_other(graph: dict[str, set[str]]) -> None:
    doors = {"", "__main__"}
    assert {room_of(name) for name in graph} - doors == set(rooms())


def test_every_room_is_explained_where_it_begins() -> None:
    """The first lines of a package say what belongs there."""
    silent = [name for name, path in modules().items() if path.name == "__init__.py" and not docstring(path)]
    assert silent == []


def test_imports_go_where_the_map_allows(graph: dict[str, set[str]]) -> None:
    allowed = rooms()
    wrong = [
        f"{name} imports {target}"
        for name, targets in graph.items()
        for target in targets
        if (room := room_of(name)) in allowed and room_of(target) not in {room, *allowed[room]}
    ]
    assert wrong == []


def test_the_map_shows_no_arrow_that_is_not_there(graph: dict[str, set[str]]) -> None:
    found = {(room_of(name), room_of(target)) for name, targets in graph.items() for target in targets}
    drawn = {(room, target) for room, targets in rooms().items() for target in targets}
    assert drawn - found == set()


def test_no_folder_is_too_full_to_look_through() -> None:
    full = Counter(path.parent for path in modules().values() if path.name != "__init__.py")
    assert {str(folder): count for folder, count in full.items() if count > 16} == {}


def test_tests_mirror_the_rooms() -> None:
    """A folder of tests is a room, or a quality of all of them."""
    qualities = {"faults", "security", "tasks", "tools", "fixtures"}
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and not path.name.startswith("_")}
    assert folders - qualities <= set(rooms())
    subjects = {path.name for path in (ROOT / "tests" / "metrics").glob("[a-z]*") if path.is_dir()} - {"cases"}
    assert subjects <= {path.name for path in (ROOT / "metrics").iterdir()}


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


@pytest.mark.parametrize(
    "code", ["import evalsuite", "import sys; sys.argv = ['evalsuite', '--help']; import evalsuite.__main__"]
)
def test_starting_up_loads_no_heavy_package(code: str) -> None:
    script = f"import sys\ntry:\n    exec({code!r})\nexcept SystemExit:\n    pass\nprint(*sys.modules, file=sys.stderr)"
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stderr
    assert {name.split(".")[0] for name in loaded.split()} & HEAVY == set()


def test_no_file_is_too_long_to_read_at_once() -> None:
    long = [
        f"{path.name}: {lines}" for path in modules().values() if (lines := len(path.read_text().splitlines())) > 350
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
