"""Which model it is, as its files say: looked at whenever a run is planned, without loading it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from evalsuite.backends.base import HUB_COMMIT, BackendOptions, Facts
from evalsuite.backends.checkpoints.fingerprints import checkpoint_files, digests, kind_of
from evalsuite.backends.checkpoints.resolve import NO_TRUST, Trust, local_folder, random_model, read_offline

_COMMIT = re.compile(r"[0-9a-f]{40}")


def checkpoint_identity(options: BackendOptions, trust: Trust = NO_TRUST) -> Facts:
    """A digest of every file that decides answers; of a model on the hub, its commit.

    Nothing is downloaded. {} for a model on the hub that is neither here nor can be asked about. Raises BackendError
    for files that cannot be read, or change while they are.
    """
    if (built := random_model(options)) is not None:
        return {"random model": built}
    folder = local_folder(options)
    if folder is not None:
        return file_facts(checkpoint_files(folder, pickles=trust.pickle_weights, code=trust.remote_code))
    commit = _hub_commit(str(options.model))
    return {HUB_COMMIT: commit} if commit else {}


def file_facts(files: Mapping[str, Path], kind: str = "") -> Facts:
    """``weights model.safetensors`` -> digest. kind: what all of them are, where names do not tell.

    Raises BackendError for a file that cannot be read.
    """
    return {f"{kind or kind_of(name) or 'file'} {name}": found for name, found in digests(files).items()}


def _hub_commit(name: str) -> str:
    """The commit that a hub id stands for now; offline, or where the hub does not answer, that of the local copy."""
    repository, _, revision = name.partition("@")
    if _COMMIT.fullmatch(revision):
        return revision
    if not read_offline():
        from huggingface_hub import HfApi

        try:
            return str(HfApi().model_info(repository, revision=revision or None, timeout=20).sha or "")
        except Exception:  # without a network, whatever the HTTP client of this huggingface_hub raises
            return _kept_commit(repository, revision or "main")
    return _kept_commit(repository, revision or "main")


def _kept_commit(repository: str, revision: str) -> str:
    """What the hub's cache on this machine says of a branch."""
    from huggingface_hub.constants import HF_HUB_CACHE

    place = Path(os.environ.get("HF_HUB_CACHE") or HF_HUB_CACHE)
    try:
        return (place / f"models--{repository.replace('/', '--')}" / "refs" / revision).read_text("utf-8").strip()
    except (OSError, UnicodeError):
        return ""
