"""The real command line as a step of a job in GitHub Actions."""

import json
from pathlib import Path

import pytest

from tests.acceptance.conftest import Make
from tests.acceptance.scene import Scene

EVIL = "20260301000000_x%0A::error title=y::<b>`z`|"


@pytest.fixture
def scene(make: Make, tmp_path: Path) -> Scene:
    """An incident in a job."""
    made = make("drifted")
    made.variables["GITHUB_STEP_SUMMARY"] = str(tmp_path / "summary.md")
    return made


def summary(scene: Scene) -> str:
    """What the job's summary holds."""
    return Path(scene.variables["GITHUB_STEP_SUMMARY"]).read_text()


def commands(text: str) -> list[str]:
    """The lines that GitHub takes for workflow commands."""
    return [line for line in text.splitlines() if line.lstrip().startswith("::")]


def test_a_blocked_run_is_in_the_summary(scene: Scene) -> None:
    """Verdict, differences and what to do; and annotations on stdout."""
    done = scene.cli("run")
    assert done.code == 3, done
    text = summary(scene)
    assert text.startswith("## prisma-recovery: blocked in CLASSIFY")
    assert "has drifted" in text
    assert "What to do:" in text
    assert "| what differs |" in text
    assert "prisma&#45;recovery run &#45;&#45;repair" in text
    assert "sha256&#58;" in text
    kinds = [line.split(" ")[0] for line in commands(done.out)]
    assert kinds == ["::warning", "::error"]
    assert not commands(done.err)


def test_a_plan_is_in_the_summary(scene: Scene, make: Make) -> None:
    """What would be run, and where it would stop; no run is begun."""
    assert scene.cli("run", "--plan").code == 3
    assert summary(scene).startswith("## prisma-recovery: blocked in CLASSIFY")
    other = make("exists")
    for number, arguments in enumerate(((), ("--json",))):
        other.variables["GITHUB_STEP_SUMMARY"] = f"{scene.variables['GITHUB_STEP_SUMMARY']}.{number}"
        assert other.cli("run", "--plan", *arguments).code == 0
        assert "**What would be run**" in summary(other)
        assert summary(other).count("prisma migrate deploy") == 1


def test_what_was_marked_is_not_said_to_be_still_open(scene: Scene, make: Make) -> None:
    """The ledger is told as it was found, and a decision that was carried out is no proposal any more."""
    other = make("exists")
    other.variables |= {"GITHUB_STEP_SUMMARY": scene.variables["GITHUB_STEP_SUMMARY"]}
    assert other.cli("run", "--yes").code == 0
    text = summary(other)
    assert "It found: applied 5, failed 1, pending 2" in text
    assert "can be marked" not in text
    assert "What would be run" not in text


def test_json_has_stdout_to_itself(scene: Scene) -> None:
    """With --json the annotations go to stderr, which GitHub reads too."""
    done = scene.cli("inspect", "--json")
    assert json.loads(done.out)["failed"][0]["verdict"] == "drifted"
    assert [line.split(" ")[0] for line in commands(done.err)] == ["::warning"]
    assert summary(scene).startswith("## prisma-recovery: a migration failed")


def test_a_name_cannot_inject(scene: Scene) -> None:
    """A migration with a name that means something to GitHub, Markdown and HTML is shown as text."""
    (failed,) = (row.migration_name for row in scene.incident.ledger() if row.finished_at is None)
    folder = scene.folder / "prisma" / "migrations"
    (folder / failed).rename(folder / EVIL)
    scene.sql(f"UPDATE _prisma_migrations SET migration_name = '{EVIL}' WHERE migration_name = '{failed}'")
    done = scene.cli("inspect")
    assert done.code == 0, done
    (line,) = commands(done.out)
    assert line.startswith("::warning title=20260301000000_x%250A%3A%3Aerror title=y%3A%3A<b>")
    text = summary(scene)
    assert "<b>" not in text
    assert "`" not in text
    assert "20260301000000&#95;x&#37;0A&#58;&#58;error title&#61;y" in text


def test_an_error_is_in_the_summary(scene: Scene) -> None:
    """A command that ends before it has seen anything."""
    scene.variables["DATABASE_URL"] = "mysql://x/y"
    done = scene.cli("run")
    assert done.code == 2
    assert "url&#46;scheme" in summary(scene)
    assert [line.split(" ")[0] for line in commands(done.err)] == ["::error"]


def test_elsewhere_nothing_is_annotated(make: Make) -> None:
    """Without GitHub's variable the output is as it was."""
    made = make("drifted")
    made.variables["GITHUB_STEP_SUMMARY"] = ""
    assert not commands(made.cli("inspect").said)
