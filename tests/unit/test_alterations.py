"""What leads from one schema to another, where that can be told from properties alone."""

import pytest

from recovery.repair.alterations import towards

TYPE = ("type public.e", "labels")
EXISTS = {("type public.e", "exists"): "yes", ("table public.t", "exists"): "yes"}
COLUMN = {("table public.t", "column c"): "exists", ("table public.t", "column c type"): "public.e"}


def labels(*names: str) -> dict[tuple[str, str], str]:
    """A schema with an enum, and a column that has it."""
    return {**EXISTS, **COLUMN, TYPE: ", ".join(f"'{name}'" for name in names)}


@pytest.mark.parametrize(
    ("here", "there", "statements"),
    [
        (("a",), ("a", "b"), ["ALTER TYPE public.e ADD VALUE 'b' AFTER 'a'"]),
        (("b",), ("a", "b"), ["ALTER TYPE public.e ADD VALUE 'a' BEFORE 'b'"]),
        (("a", "x"), ("a", "b"), []),  # rows may have the other label because it means something else
        (
            ("a", "x", "b"),
            ("a", "b"),
            [
                "ALTER TYPE public.e RENAME TO e_replaced",
                "CREATE TYPE public.e AS ENUM ('a', 'b')",
                "ALTER TABLE public.t ALTER COLUMN c TYPE public.e USING c::text::public.e",
                "DROP TYPE public.e_replaced",
            ],
        ),
        # They may have been renamed in turn: then the rows say something else than they mean.
        (("b", "a"), ("a", "b"), []),
        (("b", "a", "x"), ("a", "b"), []),
    ],
)
def test_labels_of_an_enum(here: tuple[str, ...], there: tuple[str, ...], statements: list[str]) -> None:
    """Added, renamed, or the type made anew; never put into another order."""
    assert [each.sql for each in towards(labels(*here), labels(*there))] == statements
