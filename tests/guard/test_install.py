"""`guard install`: package.json's scripts."""

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.cli.guard_install import install
from recovery.errors import RecoveryError
from recovery.guard.scripts import edited, guarded
from states.exit_codes import Exit

G = "prisma-recovery guard -- "
PACKAGE = (
    '{\r\n\t"name" : "x",\r\n\t"scripts": {\r\n\t\t"push": "prisma generate && prisma db push",\r\n'
    '\t\t"ü": "echo \\u00fc; prisma migrate reset", "ok":"prisma migrate deploy"\r\n\t},\r\n\t"v": 1.50,\r\n'
    '\t"nested": {"scripts": {"push": "prisma db push"}}\r\n}\r\n'
)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("prisma db push", f"{G}prisma db push"),
        ("npx -y prisma@6 db push", f"{G}npx -y prisma@6 db push"),
        ("prisma generate && prisma db push && next dev", f"prisma generate && {G}prisma db push && next dev"),
        ("prisma db push;prisma migrate dev", f"{G}prisma db push;{G}prisma migrate dev"),
        ("yes | prisma migrate reset | tee log", f"yes | {G}prisma migrate reset | tee log"),
        ("A=1 B='2 3' prisma db push", f"A=1 B='2 3' {G}prisma db push"),
        ("cross-env A=1 prisma db push", f"{G}cross-env A=1 prisma db push"),
        ("dotenv -e .env -- prisma db push", f"{G}dotenv -e .env -- prisma db push"),
        ("cd x && (prisma db push)", f"cd x && ({G}prisma db push)"),
        ("if [ -f x ]; then prisma db push; fi", f"if [ -f x ]; then {G}prisma db push; fi"),
        ("prisma db execute --file x.sql", f"{G}prisma db execute --file x.sql"),
        ("prisma", f"{G}prisma"),
        ("prisma db", f"{G}prisma db"),
        ("concurrently 'prisma db push' 'next dev'", f"{G}concurrently 'prisma db push' 'next dev'"),
        ("prisma generate", "prisma generate"),
        ("prisma migrate deploy && next build", "prisma migrate deploy && next build"),
        ("npm run push", "npm run push"),
        ("echo $(date)", "echo $(date)"),
        (f"{G}prisma db push", f"{G}prisma db push"),
        (
            "./bin/prisma-recovery guard --strict -- prisma db push",
            "./bin/prisma-recovery guard --strict -- prisma db push",
        ),
        ("echo $(prisma db push)", None),
        ("eval 'prisma db push'", None),
    ],
)
def test_a_script_is_guarded(script: str, expected: str | None) -> None:
    """Before each command that may be dangerous; once."""
    assert guarded(script) == expected
    if expected is not None:
        assert guarded(expected) == expected


def test_all_else_of_the_file_stays() -> None:
    """Indentation, line ends, order, numbers, escapes, and scripts that are not the package's."""
    after, unclear = edited(PACKAGE)
    assert unclear == ()
    assert after.replace(G, "") == PACKAGE
    assert json.loads(after)["scripts"]["push"] == f"prisma generate && {G}prisma db push"
    assert json.loads(after)["nested"] == {"scripts": {"push": "prisma db push"}}
    assert edited(after) == (after, ())


@given(
    scripts=st.dictionaries(
        st.text(), st.sampled_from(["prisma db push", "echo 'é'", "x && prisma migrate dev", "\\", "'"])
    ),
    indent=st.sampled_from([None, 0, 2, "\t"]),
    ascii_only=st.booleans(),
    end=st.text(alphabet=" \n\t"),
)
def test_any_package_stays_as_it_is_but_for_guard(
    *,
    scripts: dict[str, str],
    indent: int | str | None,
    ascii_only: bool,
    end: str,
) -> None:
    """However it is written, only guard is added, and twice is once."""
    text = json.dumps({"a": [1, {"scripts": 1}], "scripts": scripts}, indent=indent, ensure_ascii=ascii_only) + end
    after, _ = edited(text)
    assert after.replace(G, "") == text
    assert after.count(G) == sum("prisma" in script for script in scripts.values())
    assert edited(after)[0] == after


def code(folder: Path) -> str:
    """The error that it ends with."""
    with pytest.raises(RecoveryError) as caught:
        install(folder, None, lambda _: None, yes=True)
    return caught.value.code


def test_what_it_cannot_use_is_an_error(tmp_path: Path) -> None:
    """None, malformed, not an object, not UTF-8; nothing is written."""
    assert code(tmp_path) == "guard.no_package"
    file = tmp_path / "package.json"
    for content in (b"{", b"[]", b'{"scripts": []}', b'{"scripts": {"a": 1}}', b"\xff", b"[" * 100_000):
        file.write_bytes(content)
        assert code(tmp_path) == "guard.package_malformed"
        assert file.read_bytes() == content


def test_a_file_that_may_not_be_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is changed, and nothing is left beside it."""
    file = tmp_path / "package.json"
    file.write_text(PACKAGE)
    # Root may write everything, so the answer of the system is given for it.
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert code(tmp_path) == "guard.package_unwritable"
    assert [each.name for each in tmp_path.iterdir()] == ["package.json"]
    assert file.read_bytes() == PACKAGE.encode()


def test_it_asks_first(tmp_path: Path) -> None:
    """The difference is shown; only a typed yes writes; the file keeps its mode, and a link stays one."""
    file = tmp_path / "real.json"
    file.write_bytes(PACKAGE.encode())
    file.chmod(0o640)
    (tmp_path / "package.json").symlink_to(file)
    said: list[str] = []
    for word in ("", "y", "no"):
        with pytest.raises(RecoveryError) as caught:
            install(tmp_path, lambda _, word=word: word, said.append, yes=False)  # type: ignore[misc]
        assert (caught.value.code, caught.value.exit) == ("guard.consent", Exit.BLOCKED)
    assert file.read_bytes() == PACKAGE.encode()
    assert f'+\t\t"push": "prisma generate && {G}prisma db push",' in said[0]
    install(tmp_path, lambda _: "yes", said.append, yes=False)
    assert file.read_bytes() == edited(PACKAGE)[0].encode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert (tmp_path / "package.json").is_symlink()
    install(tmp_path, None, said.append, yes=False)
    assert said[-1].startswith("Nothing to change")
