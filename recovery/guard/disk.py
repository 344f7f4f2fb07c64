"""What reading a command line needs from the disk: the scripts of package.json, and the real paths of programs."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from recovery.guard.shell import UNKNOWN

#: The most folders to search for packages of a workspace.
_MOST_FOLDERS = 2000


class Disk:
    """The `Surroundings` on the real disk."""

    def __init__(self, cwd: Path) -> None:
        """Takes guard's own working directory, absolute."""
        self._cwd = cwd

    def scripts(self, folder: str | None) -> tuple[str | None, Mapping[str, tuple[str, ...]]]:
        """See `Surroundings.scripts`. An unreadable package.json has no scripts: package managers fail on it too."""
        if folder is None:
            merged: dict[str, tuple[str, ...]] = {}
            for package in self._packages():
                for name, text in _scripts(package).items():
                    merged[name] = (*merged.get(name, ()), text)
            return None, merged
        start = (self._cwd / folder).absolute()
        for each in (start, *start.parents):
            if (package := each / "package.json").is_file():
                return str(each), {name: (text,) for name, text in _scripts(package).items()}
        return folder, {}

    def real(self, word: str, folder: str | None) -> str:
        """See `Surroundings.real`."""
        if UNKNOWN in word:
            return word
        from shutil import which

        path = str(self._cwd / (folder or ".") / word) if "/" in word else which(word)
        return word if path is None else os.path.realpath(path)

    def _packages(self) -> Iterator[Path]:
        top = next((each for each in (self._cwd, *self._cwd.parents) if (each / ".git").exists()), self._cwd)
        for count, (folder, folders, files) in enumerate(os.walk(top)):
            if count == _MOST_FOLDERS:
                return
            folders[:] = [each for each in folders if each != "node_modules" and not each.startswith(".")]
            if "package.json" in files:
                yield Path(folder) / "package.json"


def _scripts(package: Path) -> dict[str, str]:
    import json

    try:
        content = json.loads(package.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    scripts = content.get("scripts") if isinstance(content, dict) else None
    return {n: t for n, t in scripts.items() if isinstance(t, str)} if isinstance(scripts, dict) else {}
