"""Folders made whole or not at all, and made again where a file of theirs was damaged since."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class KeptFolder:
    """A folder of files that are made once.

    note: name of the file in it that holds the digests of all others. digest: of one file.
    """

    folder: Path
    note: str
    digest: Callable[[Path], str]

    def made(self, write: Callable[[Path], None]) -> Path:
        """The folder, where it is not complete made now: ``write`` puts the files into the folder that it is given.

        That one lies beside the final one and takes its name at the end: no reader ever sees half of it.
        """
        if self.is_complete():
            return self.folder
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        work = self._beside("")
        try:
            write(work)
            noted = {path.name: self.digest(path) for path in sorted(work.iterdir())}
            (work / self.note).write_text(json.dumps(noted, indent=1) + "\n", "utf-8")
            self._put_in_place(work)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return self.folder

    def is_complete(self) -> bool:
        """Whether every file is there with the digest noted when it was written."""
        try:
            noted: Mapping[str, str] = json.loads((self.folder / self.note).read_text("utf-8"))
            return bool(noted) and all(self.digest(self.folder / name) == value for name, value in noted.items())
        except (OSError, ValueError, AttributeError):
            return False

    def _put_in_place(self, work: Path) -> None:
        try:
            work.rename(self.folder)
            return
        except OSError:  # something is there already
            if self.is_complete():
                return  # another process was faster, with the same files
        damaged = self._beside("damaged-")
        try:
            self.folder.rename(damaged / self.folder.name)
            work.rename(self.folder)
        finally:
            shutil.rmtree(damaged, ignore_errors=True)

    def _beside(self, what: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=f"{self.folder.name}-{what}", dir=self.folder.parent))
