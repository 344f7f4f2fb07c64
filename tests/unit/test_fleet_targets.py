"""Where a fleet's databases are found, and what is said of a list that can't be used."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from recovery.config import Config, load
from recovery.errors import RecoveryError
from recovery.fleet.api import Fleet
from recovery.fleet.targets import Listed, read

pytestmark = pytest.mark.quick
SECRET = "hush:/@ %"  # noqa: S105 - no real one


def settings(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "prisma-recovery.toml"
    path.write_text(text)
    return load(path, tmp_path)


def fleet(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None, file: str | None = None) -> Listed:
    return read(settings(tmp_path, text), None if file is None else Path(file), tmp_path, environ or {})


def refused(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None, file: str | None = None) -> str:
    """The code of the refusal, which shows no secret and says that nothing was done."""
    with pytest.raises(RecoveryError) as caught:
        fleet(tmp_path, text, environ, file)
    said = str(caught.value)
    assert caught.value.exit == 2
    assert "hush" not in said
    assert "Nothing was done" in said
    return caught.value.code


def test_a_template_makes_the_urls_of_a_list(tmp_path: Path) -> None:
    """Names, labels and variables are filled in, percent-encoded; a password of its own comes before the common one."""
    text = """
[fleet]
url = "postgresql://app:${password}@${region}.example.com:5432/tenant_${name}?sslmode=require"
schema = "s_${name}"
targets = ["a-b", {name = "c d", labels = {region = "us"}, schema = "own"}]
"""
    with pytest.raises(RecoveryError, match="region"):
        fleet(tmp_path, text, {"FLEET_PASSWORD": SECRET})
    listed = fleet(tmp_path, text, {"FLEET_PASSWORD": "common", "FLEET_PASSWORD_C_D": SECRET, "region": "eu"})
    first, second = listed.members
    assert (first.url.host, first.url.database, first.url.schema) == ("eu.example.com", "tenant_a-b", "s_a-b")
    assert "password=common" in first.url.conninfo
    assert (second.url.host, second.url.database, second.url.schema) == ("us.example.com", "tenant_c d", "own")
    assert SECRET in second.url.conninfo.replace("\\", "")
    assert second.labels == {"region": "us"}
    assert "sslmode=require" in second.url.conninfo
    assert "hush" not in repr(second)


def test_a_whole_url_stands_in_a_variable(tmp_path: Path) -> None:
    """By default one of the target's name, also in a file of variables; the environment comes first."""
    (tmp_path / "fleet.env").write_text(
        "FLEET_URL_ACME=postgresql://u:hush@one.example.com/acme\n"
        "FLEET_URL_BETA_1=postgresql://u:hush@two.example.com/beta\n"
    )
    text = '[fleet]\nvariables = "fleet.env"\ntargets = ["acme", "beta-1"]\n'
    members = fleet(tmp_path, text, {"FLEET_URL_ACME": "postgresql://u:hush@three.example.com/acme"}).members
    assert [each.url.host for each in members] == ["three.example.com", "two.example.com"]


def test_a_command_prints_a_line_for_each(tmp_path: Path) -> None:
    """A name or a JSON object; comments and empty lines are left out. It runs in the settings' folder."""
    script = tmp_path / "list.py"
    script.write_text('print(\'# tenants\\n\\nacme\\n{"name": "beta", "labels": {"tier": "paid"}}\')')
    text = f'[fleet]\ncommand = ["{sys.executable}", "list.py"]\nurl = "postgresql://u@h/${{name}}"\n'
    members = fleet(tmp_path, text).members
    assert [(each.name, each.url.database, dict(each.labels)) for each in members] == [
        ("acme", "acme", {}),
        ("beta", "beta", {"tier": "paid"}),
    ]


def test_a_file_takes_the_place_of_the_list(tmp_path: Path) -> None:
    """Lines, or a TOML whose other keys come before the settings' own."""
    text = '[fleet]\ntargets = ["x"]\nurl = "postgresql://u@h/${name}"\ncanary = 2\nat_once = 9\n'
    (tmp_path / "lines.txt").write_text("one\ntwo\n")
    (tmp_path / "other.toml").write_text('targets = ["three"]\ncanary = 1\n')
    assert [each.name for each in fleet(tmp_path, text, file="lines.txt").members] == ["one", "two"]
    listed = fleet(tmp_path, text, file="other.toml")
    assert [each.name for each in listed.members] == ["three"]
    assert (listed.settings.canary, listed.settings.at_once) == (1, 9)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "fleet.no_targets"),
        ('[fleet]\ntargets = ["a", "a"]\nurl = "postgresql://u@h/d"', "fleet.duplicate_name"),
        ('[fleet]\ntargets = ["a"]\nquery = "SELECT 1"', "fleet.targets"),
        ('[fleet]\ntargets = ["a"]', "fleet.variable"),
        ('[fleet]\ntargets = ["a"]\nvariables = "gone.env"', "fleet.variable"),
        ('[fleet]\ntargets = [{name = "a", url = "mysql://u:hush@h/d"}]', "url.scheme"),
        ('[fleet]\nquery = "SELECT 1"', "fleet.query"),
        ('[fleet]\ncommand = ["/nonexistent/list"]', "fleet.command"),
        (f'[fleet]\ncommand = ["{sys.executable}", "-c", "import sys; sys.exit(\'://u:hush@h\')"]', "fleet.command"),
        (f'[fleet]\ncommand = ["{sys.executable}", "-c", "print(\'a postgresql://u:hush@h/d\')"]', "fleet.targets"),
        ('[fleet]\ntargets = [{title = "a"}]', "config.unknown_key"),
        ("[fleet]\nat_once = 0", "config.invalid_value"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(tmp_path: Path, text: str, code: str) -> None:
    """With what is wrong with it, and without the line that may hold a password."""
    assert refused(tmp_path, text) == code


@pytest.mark.parametrize("content", ['{"name": "a", "url": 5}', "a b", '{"name"', "postgresql://u:hush@h/d"])
def test_a_malformed_file_is_refused(tmp_path: Path, content: str) -> None:
    """With the number of the line."""
    (tmp_path / "targets").write_text(f"fine\n{content}\n")
    with pytest.raises(RecoveryError, match="Line 2"):
        fleet(tmp_path, "", file="targets")
    assert refused(tmp_path, "", file="targets") == "fleet.targets"
    assert refused(tmp_path, "", file="missing") == "fleet.targets"
    (tmp_path / "bad.toml").write_text(content)
    assert refused(tmp_path, "", file="bad.toml") == "fleet.targets"


def test_without_the_extra_a_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is opened; a look needs it not."""
    monkeypatch.setitem(sys.modules, "dbos", None)
    settings(tmp_path, '[fleet]\ntargets = ["a"]\n')
    for call in (Fleet(tmp_path, environment={}).run, Fleet(tmp_path, environment={}).work):
        with pytest.raises(RecoveryError, match=r"prisma-recovery\[fleet\]") as caught:
            call()
        assert (caught.value.code, caught.value.exit) == ("fleet.no_dbos", 2)


def test_a_plain_command_loads_no_fleet() -> None:
    """Neither DBOS nor what stands on it: the plain install lacks it."""
    program = (
        "import sys; import recovery.fleet.api; print(sorted(m for m in sys.modules if m in ('dbos', 'sqlalchemy')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_poolers_control_database_is_refused(tmp_path: Path) -> None:
    """A worker's lock would not hold there."""
    fleet = Fleet(tmp_path, environment={}, control="postgresql://u:hush@h:6543/d")
    with pytest.raises(RecoveryError) as caught:
        fleet.status()
    assert caught.value.code == "fleet.control_pooled"
    assert "hush" not in str(caught.value)


def test_a_name_that_looks_like_markup_is_shown_as_it_is(tmp_path: Path) -> None:
    """Names come from a table of tenants, so anything may stand in one."""
    project = Path(__file__).parents[1] / "staging" / "project"
    listed = tmp_path / "tenants.toml"
    listed.write_text(
        'by = "x"\ntargets = [{ name = "a[/b]", url = "postgresql://u@127.0.0.1:1/x", labels = { x = "[red]" } }]\n'
    )
    for words in (["inspect"], ["run", "--plan"]):
        command = [sys.executable, "-m", "recovery.cli", "fleet", *words, "--targets", str(listed)]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        assert ("a[/b]" if words == ["inspect"] else "x=[red]: 1 database") in done.stdout
