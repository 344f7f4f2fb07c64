"""Checks that production was deployed from the history of this checkout, by each migration applied in the ledger."""

from collections.abc import Sequence

from recovery.prisma.scripts import Scripts
from states.checks import held, refused, unknown
from states.facts import Check, Row

NAME = "git.ledger"
#: How many migrations a message names.
_SHOWN = 3


def ledger_check(scripts: Scripts, rows: Sequence[Row]) -> Check:
    """The check that each applied migration's script, as it ran, is in the folder or in a commit before HEAD.

    Without git, it may be in one of the folders that somebody named for such scripts.

    A file that was edited after it ran is no sign of a wrong checkout: the evidence takes the script that ran. But if
    no commit before HEAD holds that script, another branch was deployed, or the script was never committed.
    """
    source = f"_prisma_migrations and {scripts.folder}"
    done = {row.migration: row for row in rows if row.finished}
    missing = [row for name, row in done.items() if name not in scripts.migrations]
    edited = [row for name, row in done.items() if name in scripts.migrations and not _same(scripts, row)]
    if missing:
        return refused(
            NAME,
            f"applied in production, and not in the migrations folder: {_listed(scripts, missing)}",
            source,
            f"{_deployed_from(scripts)} If these migrations were squashed into another "
            f'one, as Prisma\'s documentation describes, waive this check: --waive {NAME}="squashed".',
        )
    foreign = [row for row in edited if not _before_head(scripts, row)]
    if foreign and scripts.repository is not None and scripts.repository.shallow():
        return unknown(
            NAME,
            f"applied in production with another script than the folder's: {_listed(scripts, foreign)}; but this is a "
            "shallow clone, which lacks the older commits",
            source,
            "Fetch the history, and run again: git fetch --unshallow (in GitHub Actions: fetch-depth: 0).",
        )
    if foreign:
        return refused(
            NAME,
            f"applied in production with another script than the folder's: {_listed(scripts, foreign)}",
            source,
            f"{_holding(scripts)} If the script was edited by hand before "
            f'it ran, and never committed, waive this check: --waive {NAME}="why".',
        )
    if edited:
        return held(NAME, f"edited since they were applied: {_listed(scripts, edited)}", source)
    return held(NAME, f"{len(done)} applied, each in the folder as it ran", source)


def _same(scripts: Scripts, row: Row) -> bool:
    return scripts.migrations[row.migration].matches(row.checksum)


def _deployed_from(scripts: Scripts) -> str:
    if scripts.repository is not None:
        return "Check out the commit that production was deployed from."
    return "Use the folder of the image that production was deployed from, or of a later one."


def _holding(scripts: Scripts) -> str:
    if scripts.repository is not None:
        return "Check out the commit that holds the script that ran, or merge it."
    return "Take the folder out of the image that ran the script, too, and name it: --scripts DIR."


def _before_head(scripts: Scripts, row: Row) -> bool:
    """Whether the script that ran belongs to this history: a commit before HEAD, or a folder that somebody named."""
    if scripts.repository is None:
        return scripts.ran(row.migration, row.checksum) is not None
    found = scripts.repository.commit_with_checksum(scripts.path(row.migration), row.checksum)
    return found is not None and found.before_head


def _place(scripts: Scripts, row: Row) -> str:
    """The migration's name, with the commit that holds the script as it ran."""
    if scripts.repository is None:
        return row.migration
    found = scripts.repository.commit_with_checksum(scripts.path(row.migration), row.checksum)
    if found is None:
        return f"{row.migration} (as it ran: in no commit here)"
    where = "" if found.before_head else ", which is not in the history of HEAD"
    return f"{row.migration} (as it ran: commit {found.commit[:12]}{where})"


def _listed(scripts: Scripts, rows: Sequence[Row]) -> str:
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return ", ".join(_place(scripts, row) for row in rows[:_SHOWN]) + more
