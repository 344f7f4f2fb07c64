"""How to return to a restore point, for people."""

import shlex
from collections.abc import Mapping, Sequence

_HOLDS = (
    "It holds the schema and the rows of the ledger, and no other rows. To see what has changed since, restore it into "
    "an empty database, and compare."
)


def how_to_return(restore_point: Mapping[str, str]) -> Sequence[str]:
    """The steps, in order; none where there is no restore point."""
    if not restore_point:
        return ()
    place = restore_point["place"]
    if restore_point["kind"] == "neon":
        branch = place.partition(" (")[0]
        return (
            "Stop whatever writes to the database.",
            f"In Neon, restore the production branch from the branch {branch}, or let the URL lead there.",
            "Rows that were written since then are not on it.",
        )
    return (
        _HOLDS,
        f"createdb before && psql --dbname=before --file={shlex.quote(place)}",
        "To undo a change in production, write a migration that does. Never write to _prisma_migrations by hand.",
    )
