"""What git knows about the checkout: its commit, uncommitted changes, and old versions of a script."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recovery.errors import UsageError
from recovery.prisma.migrations import variant

#: Seconds for one command; a walk through a long history takes some.
_TIMEOUT = 30.0
#: Versions of one script that are looked at.
_MOST_VERSIONS = 200
#: Set by git for its hooks; they would point us at another repository than the project's.
_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE")
#: Answer and error when git refuses a checkout of another user.
_REFUSED = b"dubious ownership"


@dataclass(frozen=True, slots=True)
class FoundCommit:
    """A commit that holds a version of a script.

    Attributes:
        before_head: it is the checked out commit, or one that led to it.
    """

    commit: str
    before_head: bool


@dataclass(frozen=True, slots=True)
class Repository:
    """A git checkout.

    Attributes:
        root: its top folder, symbolic links resolved.
    """

    root: Path

    @classmethod
    def find(cls, path: Path) -> "Repository | None":
        """The checkout that `path` is in; None if it is in none, or git is not installed.

        Raises:
            UsageError: `git.failed`.
        """
        folder = path if path.is_dir() else path.parent
        try:
            done = _git(folder, "rev-parse", "--show-toplevel")
        except (FileNotFoundError, NotADirectoryError):
            return None
        if _REFUSED in done.stderr:
            raise _failed(folder, "the checkout belongs to another user, so git refuses it", "safe.directory")
        return cls(Path(os.fsdecode(done.stdout.removesuffix(b"\n")))) if done.returncode == 0 else None

    def head(self) -> str | None:
        """The checked out commit; None before the first one."""
        return self.resolve("HEAD")

    def resolve(self, revision: str) -> str | None:
        """The commit that a branch, tag or abbreviation names; None if it names none here."""
        if revision.startswith("-") or "\0" in revision:
            return None
        done = _git(self.root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def shallow(self) -> bool:
        """Its history is not all here (a clone with `--depth`).

        Raises:
            UsageError: `git.failed`.
        """
        return self._must("rev-parse", "--is-shallow-repository").strip() != b"false"

    def remote(self, revision: str) -> bool:
        """It names a branch of a remote, as it was when it was last fetched."""
        return _git(self.root, "rev-parse", "--verify", "--quiet", f"refs/remotes/{revision}").returncode == 0

    def changed(self, folder: Path) -> tuple[str, ...]:
        """Paths under `folder` that differ from the commit, or are in none; relative to the root, sorted.

        Scripts that git is told to ignore are in no commit either.

        Raises:
            UsageError: `git.failed`: no answer must never pass for no changes.
        """
        where = os.path.relpath(folder.resolve(), self.root)
        output = self._must(
            *("status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignored", "--no-renames"),
            *("--", f":(literal){where}"),
        )
        entries = [entry for entry in output.split(b"\0") if entry]
        kept = [each for each in entries if not each.startswith(b"!!") or each.endswith(b"/migration.sql")]
        return tuple(sorted(os.fsdecode(entry[3:]) for entry in kept))

    def script_with_checksum(self, path: Path, checksum: str) -> bytes | None:
        """The version of a script that has this checksum, from any branch, stash or reset commit.

        Also a version whose line endings git or an editor changed, or that was in another folder then;
        what is returned has the checksum. None if none is found among the newest versions.

        Args:
            path: `…/NAME/migration.sql`, present or not.
            checksum: SHA-256 in hexadecimal, from the ledger.

        Raises:
            UsageError: `git.failed`.
        """
        found = self._with_checksum(path, checksum)
        return None if found is None else found[1]

    def commit_with_checksum(self, path: Path, checksum: str) -> FoundCommit | None:
        """The commit that brought in the version of a script that has this checksum; one before HEAD, if there is one.

        None where no commit of any branch, stash or reset has it.

        Raises:
            UsageError: `git.failed`.
        """
        found = self._with_checksum(path, checksum)
        if found is None:
            return None
        for before_head, revisions in ((True, ("HEAD",)), (False, ("--all", "--reflog"))):
            commit = ""
            for line in self._must(
                *("log", *revisions, "--reverse", "--format=%H", "--raw", "--no-abbrev", "--no-renames", "-m"),
                *(f"--find-object={found[0]}", "--", _wherever(path)),
            ).splitlines():
                if line.startswith(b":"):
                    # ":mode mode before after status"; a commit that took it away has it before only.
                    if line.split()[3].decode() == found[0]:
                        return FoundCommit(commit, before_head)
                elif line:
                    commit = line.decode()
        return None

    def _with_checksum(self, path: Path, checksum: str) -> tuple[str, bytes] | None:
        """The object that holds a version of a script, and the version with the line endings that it ran with."""
        if self.head() is None:
            return None
        for blob in self._versions(_wherever(path)):
            if (found := variant(self._must("cat-file", "blob", blob), checksum)) is not None:
                return blob, found
        return None

    def versions(self, paths: Sequence[Path], most: int) -> tuple[bytes, ...] | None:
        """Every version of some files, from all commits; None where there are more than `most`, or not all are here.

        Raises:
            UsageError: `git.failed`.
        """
        if self.head() is None or self.shallow():
            return None
        names = [os.path.relpath(path.resolve(), self.root) for path in paths]
        blobs = self._blobs(*(f":(top,literal){name}" for name in names))
        if len(blobs) > most:
            return None
        return tuple(self._must("cat-file", "blob", blob) for blob in blobs)

    def _versions(self, pathspec: str) -> tuple[str, ...]:
        """Objects that hold versions of a script, the newest."""
        return self._blobs(pathspec)[:_MOST_VERSIONS]

    def _blobs(self, *pathspecs: str) -> tuple[str, ...]:
        """Objects that hold versions of files, newest first."""
        output = self._must(
            *("log", "--all", "--reflog", "--format=", "--raw", "--no-abbrev", "--no-renames", "-m", "-z"),
            *("--", *pathspecs),
        )
        blobs: dict[str, None] = {}
        for entry in output.split(b"\0"):
            if entry.lstrip(b"\n").startswith(b":"):
                # ":mode mode before after status"; before too: a shallow clone has no commit that made it.
                _, _, before, after, _ = entry.decode().split()
                blobs.update(dict.fromkeys(blob for blob in (after, before) if blob.strip("0")))
        return tuple(blobs)

    def _must(self, *arguments: str) -> bytes:
        done = _git(self.root, *arguments)
        if done.returncode != 0:
            reason = done.stderr.decode(errors="replace").strip().splitlines()
            raise _failed(self.root, reason[-1] if reason else f"exit code {done.returncode}", arguments[0])
        return done.stdout


def _wherever(path: Path) -> str:
    """What git takes for a migration's script, in whichever folder its migration was."""
    name = "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in path.parent.name)
    return f":(top,glob)**/{name}/{path.name}"


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run git: no prompt, no lock, none of the programs that a repository's configuration can name."""
    environment = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
    try:
        return subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "-C", str(folder), "--no-pager", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT,
            env={**environment, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
        )
    except subprocess.TimeoutExpired as error:
        raise _failed(folder, f"no answer in {_TIMEOUT:g} s", arguments[0]) from error


def _failed(folder: Path, reason: str, what: str) -> UsageError:
    return UsageError(
        "git.failed",
        f"git could not be asked about {folder} ({what}: {reason}). Nothing was changed.",
        f"See what `git -C {folder} status` says.",
    )
