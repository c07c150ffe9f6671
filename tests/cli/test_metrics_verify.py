"""``evalsuite metrics verify`` and ``show``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Call = Callable[..., subprocess.CompletedProcess[str]]
IMAGE = {"id": 1, "references": ["a dog"], "predictions": ["a dog"]}


def golden(folder: Path, corpus: float) -> Path:
    folder.mkdir(exist_ok=True)
    expected = {"corpus": corpus, "per_image": [0.0]}
    line = {"id": "cider/one", "inputs": {"images": [IMAGE], "tokenize": True}, "expected": expected, "source": "hand"}
    (folder / "cider.jsonl").write_text(json.dumps(line) + "\n")
    return folder


def test_the_packaged_files_are_compared_without_an_option(evalsuite: Call) -> None:
    done = evalsuite("metrics", "verify", "cider", "rouge_l")
    assert done.returncode == 0
    header, first, second = done.stdout.splitlines()
    assert header.split()[:2] == ["golden", "file"]
    assert first.split()[0] == "cider" and first.split()[-1] == "agrees" and int(first.split()[2]) > 50
    assert second.split()[0] == "rouge_l"


def test_a_wrong_value_is_printed_and_fails(evalsuite: Call, tmp_path: Path) -> None:
    done = evalsuite("metrics", "verify", "--golden", golden(tmp_path / "golden", 0.1))
    assert done.returncode == 1
    assert "differs: 1 of 2 values differ" in done.stdout
    assert "    cider/one corpus: 0.0, official 0.1\n" in done.stdout


def test_nothing_to_compare_fails(evalsuite: Call, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("no golden files")
    done = evalsuite("metrics", "verify", "--golden", tmp_path)
    assert done.returncode == 1 and "there are no golden files" in done.stderr
    done = evalsuite("metrics", "verify", "--golden", tmp_path / "nowhere")
    assert done.returncode == 1 and "no such folder" in done.stderr


def test_a_broken_and_an_unknown_file_fail_and_are_named(evalsuite: Call, tmp_path: Path) -> None:
    folder = golden(tmp_path / "golden", 0.0)
    (folder / "bleu.jsonl").write_text("{\n")
    (folder / "cidre.jsonl").write_text("{}\n")
    done = evalsuite("metrics", "verify", "--golden", folder)
    assert done.returncode == 1
    assert "bleu.jsonl:1: not JSON" in done.stdout and "'cidre'. Did you mean 'cider'?" in done.stdout
    assert "agrees" in done.stdout


def test_an_unknown_name_gets_a_suggestion(evalsuite: Call) -> None:
    done = evalsuite("metrics", "verify", "cidre")
    assert done.returncode == 2 and "Did you mean 'cider'?" in done.stderr


def test_verdicts_as_json(evalsuite: Call, tmp_path: Path) -> None:
    done = evalsuite("metrics", "verify", "--json", "--golden", golden(tmp_path / "golden", 0.0))
    (verdict,) = json.loads(done.stdout)
    assert (verdict["name"], verdict["outcome"], verdict["compared"]) == ("cider", "agrees", 2)


def test_without_java_meteor_is_not_checked_and_says_why(evalsuite: Call) -> None:
    done = evalsuite("metrics", "verify", "cider", "meteor", PATH="")
    assert "not checked" in done.stdout and "'java'" in done.stdout
    assert done.returncode == 0


def test_show_prints_definition_variants_parameters_values_and_source(evalsuite: Call) -> None:
    shown = evalsuite("metrics", "show", "anls").stdout
    for part in ("0 where it is too small", "variants:\n  variant: big_vision, ", "parameters:\n", "threshold = 0.5"):
        assert part in shown
    for part in ("values:\n  anls (%, higher is better)", "source: http", "compared with: anls", "signature: anls|v"):
        assert part in shown
