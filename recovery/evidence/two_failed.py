"""A failed script with that of the migration that failed after it, as one (RULES E30).

The second may have worked on what the first made, so that production equals no step of the first alone.
"""

from collections.abc import Sequence

from recovery.prisma.scripts import Scripts
from recovery.sql.script import Script
from states.facts import Row
from states.ledger import next_failed


def next_script(scripts: Scripts, name: str, rows: Sequence[Row]) -> Script | None:
    """The script of the migration that failed after this one; None if there is none, or if several may have run."""
    other = next_failed(name, scripts.history(rows))
    ran = {row.checksum for row in rows if row.migration == other}
    return scripts.ran(other, *ran) if other is not None and len(ran) == 1 else None


def in_a_row(first: Script, second: Script) -> Script:
    """Both scripts as one of the first migration. An empty statement ends the first, whatever it ends with."""
    return Script(first.migration, first.checksum + second.checksum, f"{first.text}\n;\n{second.text}")
