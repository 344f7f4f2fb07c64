"""How to return to a restore point, for people."""

from collections.abc import Mapping, Sequence


def how_to_return(restore_point: Mapping[str, str]) -> Sequence[str]:
    """The steps, in order; none where there is no restore point."""
    if not restore_point:
        return ()
    place = restore_point["place"]
    if restore_point["kind"] == "neon":
        return (
            "Stop whatever writes to the database.",
            f"In Neon, restore the production branch from the branch {place.partition(' (')[0]}; or point the URL to it.",
            "Rows that were written since are on the old branch only.",
        )
    return (
        "It holds the schema and the rows of the ledger, and no other rows. To see what was changed since, restore it "
        "into an empty database and compare.",
        f"createdb before && psql --dbname=before --file={place}",
        "To undo a change in production, write a migration that does so. Never write to _prisma_migrations by hand.",
    )
