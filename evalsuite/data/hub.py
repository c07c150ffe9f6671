"""Records from data sets on the Hugging Face hub, streamed, at one pinned commit."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from evalsuite.data.expressions import Columns
from evalsuite.errors import DataError, did_you_mean
from evalsuite.types import JsonValue, Record

if TYPE_CHECKING:
    from evalsuite.specs.parts import HubLookup
    from evalsuite.specs.parts import HubSource as HubSpec

ANY_COLUMN = Columns(None, frozenset())


class Hub(Protocol):
    """Where data sets come from; tests put a local folder here."""

    def resolve(self, name: str, revision: str | None) -> str:
        """The commit that ``revision`` (None: the newest) stands for."""
        ...

    def load(self, name: str, config: str | None, split: str, revision: str) -> Any:
        """A ``datasets.IterableDataset`` or ``datasets.Dataset``."""
        ...


class HuggingFaceHub:
    """The hub itself, or in offline mode (HF_HUB_OFFLINE, HF_DATASETS_OFFLINE) what was downloaded before.

    ``load_dataset`` alone, when it cannot reach the hub, takes whatever revision of the data set was cached last. Here
    offline mode reads the downloaded copy of exactly the wanted commit, and online mode keeps that cache out of reach.
    """

    def resolve(self, name: str, revision: str | None) -> str:
        if _offline():
            return Path(self._snapshot(name, revision)).name
        from huggingface_hub import HfApi

        # Asked for pinned commits too: it fails in a second where load_dataset retries for half a minute.
        return str(HfApi().dataset_info(name, revision=revision, timeout=30).sha)

    def load(self, name: str, config: str | None, split: str, revision: str) -> Any:
        import datasets

        if _offline():
            return datasets.load_dataset(self._snapshot(name, revision), config, split=split, streaming=True)
        empty = os.path.join(datasets.config.HF_DATASETS_CACHE, "evalsuite-streaming")
        return datasets.load_dataset(name, config, split=split, revision=revision, streaming=True, cache_dir=empty)

    def _snapshot(self, name: str, revision: str | None) -> str:
        """Folder of the downloaded repository; its name is the commit."""
        from huggingface_hub import snapshot_download

        return str(snapshot_download(name, repo_type="dataset", revision=revision, local_files_only=True))


class HubSource:
    """The splits of one hub data set. Images and videos stay encoded bytes.

    columns: what the mapping reads; other columns are not transferred.
    gating: what to sign before the data can be loaded, for the message when access is refused.
    """

    def __init__(
        self, spec: HubSpec, columns: Columns = ANY_COLUMN, gating: str | None = None, hub: Hub | None = None
    ) -> None:
        self._spec, self._columns, self._gating = spec, columns, gating
        self._hub = hub or HuggingFaceHub()
        self._revision: str | None = None
        self._opened: dict[str, Any] = {}

    @property
    def media_roots(self) -> tuple[Path, ...]:
        """Folders that data sets unpack media into: paths in records may point there."""
        from huggingface_hub import constants

        cache = Path(constants.HF_HOME) / "datasets"
        return Path(constants.HF_HUB_CACHE), Path(os.environ.get("HF_DATASETS_CACHE", cache))

    def count(self, split: str) -> int | None:
        """Records in the split, where the data set says so without being read."""
        data = self._open(split)
        if hasattr(data, "__len__"):
            return len(data)
        known = data.info.splits or {}
        info = known.get(self._spec.splits.get(split, split))
        return int(info.num_examples) if info is not None and info.num_examples else None

    def records(self, split: str) -> Iterator[Record]:
        """All records, in the order of the data set's files. Raises DataError when the hub stops answering."""
        count = 0
        records = iter(self._open(split))
        while True:
            try:
                record = next(records)
            except StopIteration:
                return
            except Exception as error:
                reason = f"{self._name(split)}: reading stopped after {count} records: {_line(error)}"
                raise DataError(f"{reason}. The same command goes on from there.") from error
            count += 1
            yield record

    def fingerprint(self, split: str) -> Mapping[str, JsonValue]:
        """Hub id, configuration, split and the commit that is loaded."""
        return {
            "id": self._spec.id,
            "config": self._spec.config,
            "split": self._spec.splits.get(split, split),
            "revision": self._commit(),
        }

    def table(self, split: str, lookup: HubLookup) -> Iterator[Record]:
        """The records of another table, for a lookup."""
        yield from self._table_source(lookup).records(split)

    def table_fingerprint(self, split: str, lookup: HubLookup) -> JsonValue:
        return dict(self._table_source(lookup).fingerprint(split))

    def _table_source(self, lookup: HubLookup) -> HubSource:
        """The other table: of the same data set at the same commit unless the lookup names another."""
        revision = lookup.revision if lookup.id else self._commit()
        spec = self._spec.model_copy(
            update={
                "id": lookup.id or self._spec.id,
                "config": lookup.config,
                "revision": revision,
                "splits": lookup.splits,
                "lookups": [],
            }
        )
        return HubSource(spec, ANY_COLUMN, self._gating, self._hub)

    def _commit(self) -> str:
        if self._revision is None:
            try:
                self._revision = self._hub.resolve(self._spec.id, self._spec.revision)
            except ImportError as error:
                raise _not_installed(error) from None
            except Exception as error:
                raise self._unreachable(error) from error
        return self._revision

    def _open(self, split: str) -> Any:
        """The data set with the needed columns and nothing decoded, opened once per split."""
        if split not in self._opened:
            self._opened[split] = self._undecoded(self._selected(self._load(split), split))
        return self._opened[split]

    def _load(self, split: str) -> Any:
        spec, revision = self._spec, self._commit()
        try:
            return self._hub.load(spec.id, spec.config, spec.splits.get(split, split), revision)
        except ImportError as error:
            raise _not_installed(error) from None
        except Exception as error:
            raise self._explained(error, split) from error

    def _selected(self, data: Any, split: str) -> Any:
        names = data.column_names
        if names is None:  # formats without a schema say so only in their records
            names = list(next(iter(data), {}))
        for name in sorted(self._columns.required - set(names)):
            known = f"{did_you_mean(name, names)} The columns are: {', '.join(names)}"
            raise DataError(f"{self._name(split)}: there is no column {name!r}. {known}")
        if self._columns.needed is None:
            return data
        return data.select_columns([name for name in names if name in self._columns.needed])

    def _undecoded(self, data: Any) -> Any:
        for name, feature in dict(data.features or {}).items():
            encoded = _without_decoding(feature)
            if encoded is not feature:
                data = data.cast_column(name, encoded)
        return data

    def _explained(self, error: Exception, split: str) -> DataError:
        """What ``load_dataset`` meant, with the way out."""
        message = _line(error)
        available = re.findall(r"'([^']*)'", message.rpartition("vailable")[2])
        if message.startswith(("Bad split", "Unknown split")):
            wanted = self._spec.splits.get(split, split)
            return DataError(f"{self._name(split)}: there is no split {wanted!r}. {did_you_mean(wanted, available)}")
        if "BuilderConfig" in message or "Config name is missing" in message:
            hint = did_you_mean(self._spec.config or "", available) if available else message
            return DataError(f"{self._name(split)}: there is no configuration {self._spec.config!r}. {hint}")
        if "scripts are no longer supported" in message:
            return DataError(f"{self._name(split)}: the data set is a Python script, which is never run. {_OTHER_DATA}")
        return self._unreachable(error)

    def _unreachable(self, error: Exception) -> DataError:
        name, revision = self._spec.id, self._spec.revision
        which = f"{name} (revision {revision})" if revision else name
        pin = f" --revision {revision}" if revision else ""
        state = "is not downloaded, and offline mode is on" if _offline() else "cannot be loaded from the hub"
        gate = f" Access: {self._gating}." if self._gating else ""
        download = f"Download it beforehand with: hf download {name} --repo-type dataset{pin}"
        return DataError(f"{which} {state} ({_line(error)}).{gate} {download}. {_OTHER_DATA}")

    def _name(self, split: str) -> str:
        config = f"/{self._spec.config}" if self._spec.config else ""
        return f"{self._spec.id}{config}, split {split!r}"


_OTHER_DATA = "Or use your own copy with --data files, or --data synthetic, which needs no download."


def _offline() -> bool:
    """Whether the user switched the network off for hub libraries."""
    from huggingface_hub import constants

    # Read by `datasets` in this order; looking at the variable spares its import.
    chosen = os.environ.get("HF_DATASETS_OFFLINE")
    return bool(constants.HF_HUB_OFFLINE) if chosen is None else chosen.upper() in ("1", "ON", "YES", "TRUE")


def _without_decoding(feature: Any) -> Any:
    """The feature with every image and video in it kept as ``{bytes, path}``; the same object when it has none."""
    import datasets

    media = (datasets.Image, datasets.Video) if hasattr(datasets, "Video") else (datasets.Image,)
    if isinstance(feature, media):
        return type(feature)(decode=False)
    if isinstance(feature, list):
        inner = [_without_decoding(item) for item in feature]
        return inner if any(new is not old for new, old in zip(inner, feature, strict=True)) else feature
    if isinstance(feature, dict):
        inside = {name: _without_decoding(item) for name, item in feature.items()}
        return inside if any(inside[name] is not feature[name] for name in inside) else feature
    if type(feature).__name__ in ("List", "LargeList", "Sequence") and hasattr(feature, "feature"):
        element = _without_decoding(feature.feature)
        return feature if element is feature.feature else type(feature)(element)
    return feature


def _not_installed(error: ImportError) -> DataError:
    return DataError(f"data from the hub needs the package 'datasets': {error}. Install it with: pip install datasets")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
