"""Questions to git about the checkout: its commit, uncommitted changes, and old versions of a script."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recovery.errors import UsageError
from recovery.prisma.migrations import variant

#: Seconds for one command; a walk through a long history takes a while.
_TIMEOUT = 30.0
#: How many versions of one script are looked at, the newest first.
_MOST_VERSIONS = 200
#: How many versions of all scripts are looked at, where the name of one is gone.
_MOST_SCRIPTS = 5000
#: Variables that git sets for its hooks, left out because they can name another repository than the project's.
_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE")
#: A part of git's error when it refuses a checkout that belongs to another user.
_REFUSED = b"dubious ownership"


@dataclass(frozen=True, slots=True)
class FoundCommit:
    """A commit that holds a version of a script.

    Attributes:
        before_head: it is the checked-out commit or an ancestor of it.
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
        if not _may_be_in_one(folder.resolve()):
            return None  # as git would find, which takes longer
        try:
            done = _git(folder, "rev-parse", "--show-toplevel")
        except (FileNotFoundError, NotADirectoryError):
            return None
        if _REFUSED in done.stderr:
            raise _failed(folder, "the checkout belongs to another user, so git refuses it", "safe.directory")
        return cls(Path(os.fsdecode(done.stdout.removesuffix(b"\n")))) if done.returncode == 0 else None

    def head(self) -> str | None:
        """The checked-out commit; None if there is no commit yet."""
        return self.resolve("HEAD")

    def resolve(self, revision: str) -> str | None:
        """The commit that a branch, tag or abbreviated id names; None if there is none in this checkout."""
        if revision.startswith("-") or "\0" in revision:
            return None
        done = _git(self.root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def shallow(self) -> bool:
        """Whether a part of the history is missing (a clone with `--depth`).

        Raises:
            UsageError: `git.failed`.
        """
        return self._must("rev-parse", "--is-shallow-repository").strip() != b"false"

    def remote(self, revision: str) -> bool:
        """Whether the revision names a remote-tracking branch, known since the last fetch."""
        return _git(self.root, "rev-parse", "--verify", "--quiet", f"refs/remotes/{revision}").returncode == 0

    def changed(self, folder: Path) -> tuple[str, ...]:
        """Paths under `folder` with uncommitted changes, relative to the root, sorted.

        Untracked files count, and so do scripts that git is told to ignore.

        Raises:
            UsageError: `git.failed`, since no answer must not be taken for no changes.
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

        The migrations folder may have been elsewhere then. If only a version with other line endings is committed, its
        line endings are changed so that the result has the checksum. None if the newest versions do not hold it.

        Args:
            path: `…/NAME/migration.sql`, present or not.
            checksum: SHA-256 in hexadecimal, from the ledger.

        Raises:
            UsageError: `git.failed`.
        """
        found = self._with_checksum(path, checksum)
        return None if found is None else found[1]

    def every_script(self, name: str) -> tuple[bytes, ...]:
        """Every version of every file of this name, wherever it was, from any branch, stash or reset commit.

        Only the newest ones are given where there are very many.

        Raises:
            UsageError: `git.failed`.
        """
        if self.head() is None:
            return ()
        blobs = self._blobs(f":(top,glob)**/{name}")[:_MOST_SCRIPTS]
        asked = "".join(f"{blob}\n" for blob in blobs).encode()
        done = _git(self.root, "cat-file", "--batch", asked=asked)
        if done.returncode != 0:
            raise _failed(self.root, f"exit code {done.returncode}", "cat-file")
        return tuple(_contents(done.stdout))

    def commit_with_checksum(self, path: Path, checksum: str) -> FoundCommit | None:
        """The commit that added the version of a script with this checksum; None if no branch, stash or reset has one.

        HEAD and its ancestors are preferred.

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
                    # ":mode mode before after status"; a commit that removed the version has it as `before` only.
                    if line.split()[3].decode() == found[0]:
                        return FoundCommit(commit, before_head)
                elif line:
                    commit = line.decode()
        return None

    def _with_checksum(self, path: Path, checksum: str) -> tuple[str, bytes] | None:
        """The blob with this version of a script, and the version with the line endings that give the checksum."""
        if self.head() is None:
            return None
        for blob in self._versions(_wherever(path)):
            if (found := variant(self._must("cat-file", "blob", blob), checksum)) is not None:
                return blob, found
        return None

    def versions(self, paths: Sequence[Path], most: int) -> tuple[bytes, ...] | None:
        """Every version of these files, from all commits; None if there are more than `most`, or the clone is shallow.

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
        """The blobs with the newest versions of a script."""
        return self._blobs(pathspec)[:_MOST_VERSIONS]

    def _blobs(self, *pathspecs: str) -> tuple[str, ...]:
        """The blobs with all versions of these files, newest first."""
        output = self._must(
            *("log", "--all", "--reflog", "--format=", "--raw", "--no-abbrev", "--no-renames", "-m", "-z"),
            *("--", *pathspecs),
        )
        blobs: dict[str, None] = {}
        for entry in output.split(b"\0"):
            if entry.lstrip(b"\n").startswith(b":"):
                # ":mode mode before after status"; `before` counts, since a shallow clone may lack the adding commit.
                _, _, before, after, _ = entry.decode().split()
                blobs.update(dict.fromkeys(blob for blob in (after, before) if blob.strip("0")))
        return tuple(blobs)

    def _must(self, *arguments: str) -> bytes:
        done = _git(self.root, *arguments)
        if done.returncode != 0:
            reason = done.stderr.decode(errors="replace").strip().splitlines()
            raise _failed(self.root, reason[-1] if reason else f"exit code {done.returncode}", arguments[0])
        return done.stdout


def _may_be_in_one(folder: Path) -> bool:
    """Whether this folder or one above it has `.git`, or can't be looked into."""
    try:
        return any((each / ".git").exists() for each in (folder, *folder.parents))
    except OSError:
        return True


def _wherever(path: Path) -> str:
    """A git pathspec for a migration's script, wherever the migrations folder was."""
    name = "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in path.parent.name)
    return f":(top,glob)**/{name}/{path.name}"


def _contents(output: bytes) -> Iterator[bytes]:
    """The files in the answer of `git cat-file --batch`: each a line that ends with the size, and the content."""
    place = 0
    while place < len(output):
        end = output.index(b"\n", place)
        words = output[place:end].split()
        if words[-1] == b"missing":  # a shallow or partial clone does not hold it
            place = end + 1
            continue
        start, size = end + 1, int(words[-1])
        yield output[start : start + size]
        place = start + size + 1


def _git(folder: Path, *arguments: str, asked: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Runs git without prompts, without locks, and without the fsmonitor program that a repository can configure."""
    environment = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
    try:
        return subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "-C", str(folder), "--no-pager", *arguments],
            input=asked,
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
        f"Run `git -C {folder} status` to see the reason.",
    )
