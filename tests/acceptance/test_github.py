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


def test_what_is_blocked_is_in_the_summary(scene: Scene, tmp_path: Path) -> None:
    """Verdict, differences and what to do, of a plan as of a run; and annotations on stdout.

    With --json these go to stderr, which GitHub reads too. Without GitHub's variable the output is as it was. A command
    that ends before it has seen anything is told as well.
    """
    assert scene.cli("run", "--plan").code == 3
    assert summary(scene).startswith("## prisma-recovery: blocked in CLASSIFY")
    scene.variables["GITHUB_STEP_SUMMARY"] = str(tmp_path / "run.md")
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
    scene.variables["GITHUB_STEP_SUMMARY"] = str(tmp_path / "inspect.md")
    done = scene.cli("inspect", "--json")
    assert json.loads(done.out)["failed"][0]["verdict"] == "drifted"
    assert [line.split(" ")[0] for line in commands(done.err)] == ["::warning"]
    assert summary(scene).startswith("## prisma-recovery: a migration failed")
    scene.variables["GITHUB_STEP_SUMMARY"] = ""
    assert not commands(scene.cli("inspect").said)
    scene.variables |= {"GITHUB_STEP_SUMMARY": str(tmp_path / "error.md"), "DATABASE_URL": "mysql://x/y"}
    done = scene.cli("run")
    assert done.code == 2
    assert "url&#46;scheme" in summary(scene)
    assert [line.split(" ")[0] for line in commands(done.err)] == ["::error"]


def test_a_recovery_is_in_the_summary(make: Make, tmp_path: Path) -> None:
    """Of a plan, what would be run. Of a run the ledger as it was found, and no proposal that was carried out."""
    scene = make("exists")
    for number, arguments in enumerate(((), ("--json",))):
        scene.variables["GITHUB_STEP_SUMMARY"] = str(tmp_path / f"plan{number}.md")
        assert scene.cli("run", "--plan", *arguments).code == 0
        assert "**What would be run**" in summary(scene)
        assert summary(scene).count("prisma migrate deploy") == 1
    scene.variables["GITHUB_STEP_SUMMARY"] = str(tmp_path / "run.md")
    assert scene.cli("run", "--yes").code == 0
    text = summary(scene)
    assert "It found: applied 5, failed 1, pending 2" in text
    assert "can be marked" not in text
    assert "What would be run" not in text


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
