"""Secrets kept out of what is written or printed: manifests, logs, stores, reports, messages.

A secret is known by the name it stands under (``api_key``, ``HF_TOKEN``), by being the value of such a variable of the
environment, or by its form (credentials in an address, ``hf_…``, ``sk-…``, ``Bearer …``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

HIDDEN = "***"

_ANYWHERE = {"secret", "password", "passwd", "passphrase", "credential", "credentials", "authorization", "apikey"}
_LAST = {"key", "token", "auth", "cookie", "pat"}
_BY_NAME = ("options", "attributes")
"""Parts of a manifest whose names users choose. Elsewhere a key may be called ``key`` and hold none."""

_FORMS = (
    (re.compile(r"://[^\s/?#\"'<>]+@"), f"://{HIDDEN}@"),
    (
        re.compile(r"([?&][\w.-]{0,40}?(?:token|key|secret|password|signature|sig)[\w.-]{0,20}=)[^&\s\"'<>]+", re.I),
        rf"\g<1>{HIDDEN}",
    ),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.I), rf"\g<1> {HIDDEN}"),
    (re.compile(r"\b(?:hf_|sk-|gh[opsu]_|github_pat_|glpat-|xox[abps]-|AKIA)[\w-]{16,}"), HIDDEN),
)


def is_secret_name(name: str) -> bool:
    """Whether what stands under this name is a secret.

    >>> [is_secret_name(name) for name in ("api_key", "HF_TOKEN", "max_new_tokens", "token_ids")]
    [True, True, False, False]
    """
    words = [word.lower() for word in re.findall(r"[A-Za-z]+", name)]
    return bool(words) and (words[-1] in _LAST or not _ANYWHERE.isdisjoint(words))


def without_secrets(text: str) -> str:
    """The text with every known secret in it replaced by ``***``.

    >>> without_secrets("cannot reach https://me:pass@host/v1?api_key=123 with Bearer abcdefgh")
    'cannot reach https://***@host/v1?api_key=*** with Bearer ***'
    """
    for secret in _environment_secrets():
        text = text.replace(secret, HIDDEN)
    for form, replacement in _FORMS:
        text = form.sub(replacement, text)
    return text


def redacted(value: Any, *, by_name: bool = False) -> Any:
    """A JSON value with its secrets replaced. by_name: also whatever stands under a secret's name."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        return {
            without_secrets(str(name)): HIDDEN
            if by_name and inner not in (None, "") and is_secret_name(str(name))
            else redacted(inner, by_name=by_name or name in _BY_NAME)
            for name, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [redacted(inner, by_name=by_name) for inner in value]
    return value


def redacted_command(words: Sequence[str]) -> list[str]:
    """The words of a command: ``--token VALUE`` and ``name=VALUE`` too.

    >>> redacted_command(["run", "--option", "api_key=abc", "--token", "abc", "--model=tiny"])
    ['run', '--option', 'api_key=***', '--token', '***', '--model=tiny']
    """
    shown: list[str] = []
    for place, word in enumerate(words):
        name, separator, _ = word.partition("=")
        if separator and is_secret_name(name):
            shown.append(f"{name}={HIDDEN}")
        elif place and words[place - 1].startswith("--") and "=" not in words[place - 1] and not word.startswith("--"):
            shown.append(HIDDEN if is_secret_name(words[place - 1]) else without_secrets(word))
        else:
            shown.append(without_secrets(word))
    return shown


def _environment_secrets() -> list[str]:
    """Values of variables with a secret's name, the longest first; short plain words are no secrets worth the name."""
    values = {value for name, value in os.environ.items() if is_secret_name(name) and _is_worth_hiding(value)}
    return sorted(values, key=lambda value: (-len(value), value))


def _is_worth_hiding(value: str) -> bool:
    return len(value) >= 12 or (len(value) >= 8 and any(sign.isdigit() for sign in value))
