"""Where the URL is found, and `.env` files as Prisma reads them."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.errors import UsageError
from recovery.prisma.dotenv import find_url, parse
from recovery.prisma.project import Project
from recovery.prisma.sources import NamedVariable

ORDER = ("DIRECT_URL", "DATABASE_URL_UNPOOLED", "DATABASE_URL")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose schema names a variable of its own."""
    schema = tmp_path / "prisma" / "schema.prisma"
    schema.parent.mkdir()
    schema.write_text("")
    variables = ("DATABASE_URL", "DIRECT_URL", "MY_URL")
    return Project(tmp_path, schema, schema.parent / "migrations", None, variables)


def test_a_flag_comes_first(project: Project) -> None:
    """What a person names comes before everything."""
    assert find_url("mine", {"DIRECT_URL": "other"}, project) == ("mine", "--database-url")


def test_the_direct_url_comes_before_the_pooled_one(project: Project) -> None:
    """The order of the variables holds in the environment and in files; an empty one counts as none."""
    environ = {name: name.lower() for name in (*ORDER, "MY_URL")}
    for name in (*ORDER, "MY_URL"):
        assert find_url(None, environ, project) == (name.lower(), f"{name} in the environment")
        environ[name] = ""


def test_the_datasources_direct_url_comes_first(project: Project) -> None:
    """What the project's files name is what Prisma reads: directUrl before all, url before DATABASE_URL; it is told."""
    schema, config = project.schema, project.root / "prisma.config.ts"
    named = (
        NamedVariable("POOLED", "url", schema),
        NamedVariable("PLAIN", "directUrl", schema),
        NamedVariable("MY_URL", "url", config),
    )
    project = replace(project, named=named)
    environ = {name: name.lower() for name in (*ORDER, "MY_URL", "POOLED", "PLAIN")}
    expected = {
        "PLAIN": " (directUrl of prisma/schema.prisma)",
        "DIRECT_URL": "",
        "DATABASE_URL_UNPOOLED": "",
        "POOLED": " (url of prisma/schema.prisma)",
        "MY_URL": " (url of prisma.config.ts)",
        "DATABASE_URL": "",
    }
    for name, by in expected.items():
        assert find_url(None, environ, project) == (name.lower(), f"{name} in the environment{by}")
        del environ[name]


def test_a_url_that_stands_in_the_datasource_comes_last(project: Project) -> None:
    """It is the target where no variable is set, and its file is told."""
    project = replace(project, written=("written", project.schema))
    assert find_url(None, {}, project) == ("written", f"the datasource in {project.schema}")
    assert find_url(None, {"DATABASE_URL": "env"}, project)[0] == "env"


def test_the_environment_comes_before_files(project: Project) -> None:
    """A `.env` file is read only when the environment has nothing."""
    (project.root / ".env").write_text("DIRECT_URL=file\n")
    assert find_url(None, {"DATABASE_URL": "env"}, project)[0] == "env"
    assert find_url(None, {}, project) == ("file", f"DIRECT_URL in {project.root / '.env'}")


def test_both_places_of_a_file_are_read(project: Project) -> None:
    """The direct URL is found in whichever file holds it."""
    (project.schema.parent / ".env").write_text("DATABASE_URL=pooled\n")
    (project.root / ".env").write_text("DIRECT_URL=direct\n")
    assert find_url(None, {}, project)[0] == "direct"


def test_files_that_disagree_are_refused(project: Project) -> None:
    """Two files with different URLs are refused, as by Prisma, without showing either."""
    (project.schema.parent / ".env").write_text("DATABASE_URL=hunter2\n")
    (project.root / ".env").write_text("DATABASE_URL=hunter3\n")
    with pytest.raises(UsageError) as caught:
        find_url(None, {}, project)
    assert caught.value.code == "url.ambiguous"
    assert "hunter" not in str(caught.value)


def test_nothing_found_says_where_it_was_looked_for(project: Project) -> None:
    """The error names every variable and every file."""
    (project.root / ".env").write_text("OTHER=1\n")
    with pytest.raises(UsageError) as caught:
        find_url(None, {}, project)
    assert caught.value.code == "url.missing"
    for part in (*ORDER, "MY_URL", str(project.root / ".env"), f"{project.schema.parent / '.env'} (missing)"):
        assert part in caught.value.fact
    with pytest.raises(UsageError):
        find_url(None, {}, None)


def test_a_file_that_is_not_text_is_named(project: Project) -> None:
    """A file in another encoding is an error, not a file without a URL."""
    (project.root / ".env").write_bytes("DATABASE_URL=x".encode("utf-16"))
    with pytest.raises(UsageError) as caught:
        find_url(None, {}, project)
    assert caught.value.code == "url.unreadable"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=b", "b"),
        ("A = b ", "b"),
        ("  export A=b", "b"),
        ("A: b", "b"),
        ("A=b # comment", "b"),
        ("A=b#comment", "b"),
        ('A="b # c" # comment', "b # c"),
        ("A='b # c'", "b # c"),
        ("A=`b'\"c`", "b'\"c"),
        (r'A="b\nc"', "b\nc"),
        (r"A='b\nc'", r"b\nc"),
        ('A="b\nc"', "b\nc"),
        ("A=", ""),
        ("A=''", ""),
        ("# A=c\nA=b", "b"),
        ("A=c\nA=b", "b"),
        ("A=b\r\nC=d\r\n", "b"),
        ("B=b\nA=x${B}y", "xby"),
        ("A=x${B}y\nB=b", "xby"),
        ("A=${ENV}", "from env"),
        ("A=${NOBODY}", ""),
        ("A=${A}", ""),
        ("A=${B}\nB=${A}", ""),
        (r"A=\${B}", "${B}"),
        ("A=pa$$word$1", "pa$$word$1"),
        ("A=postgresql://u:p=1@h/d?a=b&c=d", "postgresql://u:p=1@h/d?a=b&c=d"),
    ],
)
def test_lines_are_read_as_prisma_reads_them(text: str, value: str) -> None:
    """Quotes, comments, `export` and references, as `dotenv` has them."""
    assert parse(text, {"ENV": "from env"})["A"] == value


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_read(text: str) -> None:
    """Whatever a file holds, reading it ends."""
    parse(text, {})


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="'$\\")))
def test_a_quoted_value_comes_back(value: str) -> None:
    """What stands between single quotes comes back as it is."""
    assert parse(f"A='{value}'\nB=c", {}) == {"A": value, "B": "c"}
