"""What a property is of, and whether it counts: told by its structure, never by a word in a name (RULES E28)."""

import pytest

from states.comparison import Property, column_of, is_remark, name_of, qualified_name, taken_apart
from states.presence import after

#: A property, the part that it is of, the part's kind, and what it tells.
APART = [
    ("exists", "", "", "exists"),
    ("comment", "", "", "comment"),
    ("table public.comment", "", "", "table public.comment"),
    ("column x", "column x", "column", ""),
    ("column comment", "column comment", "column", ""),
    ("column x comment", "column x", "column", "comment"),
    ("column comment comment", "column comment", "column", "comment"),
    ('column "x type"', 'column "x type"', "column", ""),
    ('column "x type" type', 'column "x type"', "column", "type"),
    ('column " ""y"" comment" nullability', 'column " ""y"" comment"', "column", "nullability"),
    ('column "privileges of x"', 'column "privileges of x"', "column", ""),
    ("column x privileges of y", "column x", "column", "privileges of y"),
    ('constraint "a comment" inheritance', 'constraint "a comment"', "constraint", "inheritance"),
    ("trigger enabled enabled", "trigger enabled", "trigger", "enabled"),
    ("attribute comment comment", "attribute comment", "attribute", "comment"),
]


@pytest.mark.parametrize(("prop", "part", "kind", "detail"), APART)
def test_a_property_is_taken_apart_by_its_structure(prop: str, part: str, kind: str, detail: str) -> None:
    """Names with blanks, quotes and keywords are told from what follows them."""
    assert taken_apart(prop) == Property(part, kind, detail)
    assert column_of(prop) == (part if kind == "column" else None)


REMARKS = [
    ("table public.t", "comment"),
    ("table public.t", "column a comment"),
    ("table public.t", "column comment comment"),
    ("table public.t", "rule r comment"),
    ("type public.o", "attribute a comment"),
    ("table public.t", "privileges of x"),
    ("table public.t", "column a privileges of x"),
    ("table public.t", "column a statistics"),
    ("index public.i", "statistics"),
    ("statistics public.s", "target"),
    ("extension x", "version"),
    ("sequence public.s", "next value"),
]
COUNTING = [
    ("table public.t", "column comment"),
    ("table public.t", "column comment type"),
    ("table public.t", 'column "x comment"'),
    ("table public.t", 'column "privileges of x"'),
    ("table public.t", "column statistics"),
    ("table public.t", 'column "a statistics" type'),
    ("table public.t", "constraint comment"),
    ("table public.t", "trigger comment"),
    ("table public.t", "rule comment"),
    ("table public.t", "policy comment"),
    ("table public.t", "policy statistics"),
    ("publication p", "schema comment"),
    ("publication p", 'table public."x comment"'),
    ("sequence public.s", "start"),
    ("extension x", "exists"),
]


@pytest.mark.parametrize(("key", "remark"), [*((k, True) for k in REMARKS), *((k, False) for k in COUNTING)])
def test_a_remark_is_told_by_its_kind(key: tuple[str, str], *, remark: bool) -> None:
    """A comment is a remark; a column, constraint, trigger, rule or policy that is called `comment` is none."""
    assert is_remark(key) is remark


def test_the_name_of_an_object_is_what_follows_its_kind() -> None:
    """Of each kind, with a schema or without, and whatever is in the quotes."""
    assert name_of("event trigger x") == "x"
    assert name_of('schema "x (y)"') == '"x (y)"'
    assert name_of('cast "integer AS public.e"') == '"integer AS public.e"'
    assert name_of('function "a.b"."c (d)"(integer)') == '"a.b"."c (d)"'
    assert qualified_name('operator public."@@@"(text, text)') == 'public."@@@"'
    assert qualified_name("text search configuration public.x") == "public.x"


@pytest.mark.parametrize("part", ["column x", 'column "x y"', "constraint comment", 'rule "a b"'])
def test_what_is_of_a_part_goes_with_it(part: str) -> None:
    """The part's own properties go, and not those of a part whose name begins alike."""
    there = {("table public.t", prop): "" for prop in (part, f"{part} comment", f'{part[:-1]}z"', "column xy")}
    left = after(there, [{("table public.t", part): None}])
    assert set(left) == {("table public.t", f'{part[:-1]}z"'), ("table public.t", "column xy")}
