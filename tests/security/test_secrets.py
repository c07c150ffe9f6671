"""Secrets given in the environment, in options and in addresses: nowhere in what a run writes or prints."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalsuite.redaction import HIDDEN, is_secret_name, redacted, redacted_command, without_secrets
from evalsuite.reports import write_report
from evalsuite.runs.folder import LOG
from evalsuite.runs.manifest import read_manifest, write_manifest

LEAKY = '''
"""A backend that quotes its secrets wherever it can: in what it says of itself, in errors, in a traceback."""
import os
from evalsuite.backends.base import BatchLimits, Prepared
from evalsuite.types import Generation

class Leaky:
    limits = BatchLimits(1)
    def __init__(self, options): self.options = options
    def describe(self):
        return {"backend": "leaky", "options": dict(self.options.options), "url": self.options.options["url"]}
    def prepare(self, request): return Prepared(request, None, 1)
    def generate(self, batch):
        tokens = os.environ["HF_TOKEN"] + " " + os.environ["OPENAI_API_KEY"]
        said = f"401 from {self.options.options['url']} with Bearer {tokens}"
        if batch[0].request.key.id == "3": raise RuntimeError(said)
        return [Generation(batch[0].request.key, "", error=said)]
    def close(self): raise RuntimeError("closing with " + os.environ["OPENAI_API_KEY"])

def create(options): return Leaky(options)
'''

HF_TOKEN, OPENAI = "hf_abcdefghijklmnopqrstuvwxyz", "sk-proj-0123456789abcdef0123"
API_KEY, PASSWORD, QUERY = "option-key-1234567", "user-password-99", "query-key-7654321"
URL = f"https://someone:{PASSWORD}@models.example/v1?api_key={QUERY}&x=1"
SECRETS = (HF_TOKEN, OPENAI, API_KEY, PASSWORD, QUERY)


@pytest.fixture
def leaky(own_files: Any, tmp_path: Path) -> Path:
    site: Path = own_files.write_package(tmp_path / "site", "leaky", LEAKY)
    return site


def test_no_secret_is_written_or_printed(
    leaky: Path,
    own_task: Callable[..., Path],
    tmp_path: Path,
    evalsuite: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    own_task([{"id": str(n), "question": "q", "answer": ["a"]} for n in range(5)])
    command = "run --backend leaky --data files --data-dir data --specs specs --tasks own --out run --max-errors 100%"
    options = ["--option", f"api_key={API_KEY}", "--option", f"url={URL}", "--model", URL]
    secrets = {"HF_TOKEN": HF_TOKEN, "OPENAI_API_KEY": OPENAI}
    printed = ""
    for _ in range(2):  # the second resumes, and must not take the blanked manifest for another run's
        done = evalsuite(*command.split(), *options, path=(leaky,), **secrets)
        assert "holds another run" not in done.stderr and "Bearer ***" in done.stderr, done.stderr
        printed += done.stdout + done.stderr
    for verb in (["report", "run"], ["score", "run", "--specs", "specs", "--json"]):
        done = evalsuite(*verb, path=(leaky,), **secrets)
        printed += done.stdout + done.stderr
    assert (tmp_path / "run" / LOG).exists() and (tmp_path / "run" / "report" / "index.html").exists()
    for path in (tmp_path / "run").rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for secret in SECRETS:
            assert secret.encode() not in content, f"{path.name} holds {secret}"
    for secret in SECRETS:
        assert secret not in printed
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["run"]["options"]["api_key"] == HIDDEN
    assert manifest["sessions"][0]["command"][-3] == f"url=https://{HIDDEN}@models.example/v1?api_key={HIDDEN}&x=1"


def test_a_run_is_not_named_after_a_secret() -> None:
    from evalsuite.settings.run import RunConfig

    names = [
        RunConfig("x", model=f"https://me:{word}@h/v1", options={"api_key": word}).folder({}) for word in ("abc", "def")
    ]
    assert names[0] == names[1] and "abc" not in str(names[0])


def test_manifests_of_before_are_blanked_in_reports(hostile_run: Path) -> None:
    manifest = read_manifest(hostile_run)
    manifest["sessions"][-1]["command"] = ["evalsuite", "run", "--option", f"token={API_KEY}", "--api-key", API_KEY]
    manifest["run"]["options"] = {"password": API_KEY}
    write_manifest(hostile_run, manifest)
    page = write_report([hostile_run]).html.read_text()
    assert API_KEY not in page and "token=***" in page


@pytest.mark.parametrize(
    "text",
    [
        "https://user:pass-1234@host/path",
        "https://pass-1234@host",
        "redis://:pass-1234@host",
        "https://host/?access_token=pass-1234",
        "https://host/?a=1&X-Amz-Signature=pass-1234&b=2",
        "Authorization: Bearer pass-1234",
        "authorization: basic pass-1234",
    ],
)
def test_forms_of_secrets(text: str) -> None:
    assert "pass-1234" not in without_secrets(text) and HIDDEN in without_secrets(text)


def test_tokens_are_known_by_their_form() -> None:
    for token in (HF_TOKEN, OPENAI, "ghp_0123456789abcdefghij", "AKIA0123456789ABCDEF", "glpat-0123456789abcdefghij"):
        assert without_secrets(f"({token})") == "(***)"


def test_what_is_no_secret_stays() -> None:
    for text in (
        "a@b.example",
        "tokens: 5",
        "see https://host/path?page=2",
        "sk-learn",
        "key of the map",
        "hf_hub",
        "://",
    ):
        assert without_secrets(text) == text
    for name in ("max_new_tokens", "tokenizers", "token_ids", "keyboard", "author", "monkey"):
        assert not is_secret_name(name)
    assert redacted({"lookups": [{"key": "image_id"}], "options": {"key": "x"}}) == {
        "lookups": [{"key": "image_id"}],
        "options": {"key": HIDDEN},
    }
    assert redacted_command(["--data-dir", "x", "--max-errors", "0"]) == ["--data-dir", "x", "--max-errors", "0"]


def test_short_and_plain_values_of_the_environment_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "synthetic")
    monkeypatch.setenv("SOME_TOKEN", "s3cr3t-1")
    assert without_secrets("synthetic s3cr3t-1") == "synthetic ***"


def test_blanking_takes_linear_time() -> None:
    import time

    start = time.monotonic()
    for text in ("?" + "a" * 500_000, "?key" * 100_000, "://" * 100_000, "a://" + "b" * 500_000, "bearer " * 100_000):
        without_secrets(text)
    assert time.monotonic() - start < 10
