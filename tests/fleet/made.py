"""Findings of a look at a fleet, as a page and documents show them."""

from recovery.fleet.document import FleetDatabase, FleetInspectDocument, counts, verdicts
from recovery.fleet.looking import FailedFound
from states.fleet import Outcome

LONG = "20260217000000_" + "a_rather_long_name_of_a_migration_" * 4
NASTY = "<script>alert(1)</script>\"'&"
#: What each database of such a fleet is like, in turn.
_KINDS = (
    (Outcome.HEALTHY, (), (), (), ""),
    (Outcome.PENDING, ("20260301000000_next",), (), (), ""),
    (Outcome.FAILED, (), (FailedFound(LONG, "applied", "mark_applied", "sha256:1"),), (), ""),
    (Outcome.FAILED, (), (FailedFound("20260217000000_b", "undecidable", "operator", "sha256:2"),), (), ""),
    (Outcome.DRIFT, (), (), ("table public.\"Thing\" column name default: expected ''::text, is absent",), ""),
    (Outcome.UNREACHABLE, (), (), (), "db.example.com:5432 does not answer: Connection refused. Nothing was changed."),
    (Outcome.BASELINE, (), (), (), "The ledger is missing."),
    (Outcome.HEALTHY, (), (), (), ""),
)


def found(count: int = 40) -> FleetInspectDocument:
    """A look at so many databases, one of which has a hostile name."""
    databases = []
    for number in range(count):
        outcome, pending, failed, differences, said = _KINDS[number % len(_KINDS)]
        name = NASTY if number == count - 1 else f"tenant_{number:04}"
        databases.append(
            FleetDatabase(
                name,
                {"tier": ("free", "paid")[number % 2], "region": ("eu", "us", "ap")[number % 3]},
                f"db{number % 3}.example.com:5432/{name}?schema=public",
                outcome,
                100 - len(pending),
                pending,
                failed,
                differences,
                3 if differences else 0,
                said,
            )
        )
    by = counts(databases), verdicts(databases)
    return FleetInspectDocument(*by, tuple(databases), (("tenant_0001", "tenant_0009"),), 2, 12.3)
