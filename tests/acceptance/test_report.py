"""`report` and `graph` on real runs: from the journal alone, useful for a postmortem, and without a secret."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from recovery import Recovery, RecoveryError
from recovery.config import JOURNAL_VARIABLE, TARGET
from states.exit_codes import Exit
from tests.acceptance.scene import SECONDS, Done, Scene
from tests.staging import Case, warm
from tests.staging.incident import FAILED, PENDING

Make = Callable[[Case], Scene]
PASSWORD = "h0rse battery/staple%"  # noqa: S105 - it is looked for


def recovered(scene: Scene, *arguments: str) -> Done:
    """A run to its end; one that is busy is run again, as it says."""
    for _ in range(5):
        done = scene.cli("run", "--yes", *arguments)
        if done.code != Exit.BUSY:
            break
    return done


def page(scene: Scene) -> str:
    """The HTML report of the newest run."""
    done = scene.cli("report", "--html", "report.html")
    assert (done.code, done.said) == (0, "")
    return (scene.folder / "report.html").read_text()


def test_a_recovery_is_told_from_its_journal_alone(make: Make) -> None:
    """All of it is in both reports, also when the database is gone and no URL is known.

    Its restore point was made before the first effect, once, is shown, and is in the journal.
    """
    scene = make("exists")
    done = recovered(scene, "--pipeline", "--restore-point", "pg_dump")
    assert done.code == 0, done
    assert "restore point (pg_dump)" in done.out
    back = next(line for line in done.out.splitlines() if line.startswith("  To go back: psql "))
    assert back.removeprefix("  To go back: ") in scene.cli("status").out
    kinds = [e.kind for e in scene.events() if e.kind in ("restore_point.made", "effect.intended")]
    assert kinds == ["restore_point.made", "effect.intended", "effect.intended"]
    (made,) = [e.payload for e in scene.events() if e.kind == "restore_point.made"]
    assert f"-f {made['place']} " in made["back"]
    assert FAILED in Path(made["place"]).read_text()
    scene.server.drop_database(scene.database)
    scene.variables["DATABASE_URL"] = ""
    html, markdown = page(scene), scene.cli("report", "--markdown").out
    for text in (html.replace("<wbr>", ""), markdown):
        assert f"{FAILED} failed (object exists, 42P07) and was in the database; it was marked applied" in text
        assert (
            "2 migrations were deployed; the schema was proven to be what the history says; the gate is open." in text
        )
        assert f"prisma migrate resolve --applied {FAILED}" in text
        assert "prisma migrate deploy" in text
        assert "applied (marked, not run)" in text
        assert all(name in text for name in PENDING)
        assert "restore-2" in text
        assert "npm run promote" in text
        assert "made by hand, not by this migration" in text
        assert "20260112101500_touch_places" in text
        assert "Migration 20260217000000_add_password_reset_tokens marked as applied" in text


def test_a_drifted_production_is_told(make: Make) -> None:
    """Which property differs, who wrote it when, and what prevents it; a program that embeds it gets the same.

    Before there is a run that is said. The run's way is on the graph of the machine, which needs no run.
    """
    scene = make("drifted")
    assert "(run.missing)" in scene.cli("report").err
    plain = scene.cli("graph")
    assert plain.code == 0
    assert plain.out.startswith("stateDiagram-v2")
    assert scene.cli("graph", "--format", "svg").out.startswith("<svg")
    assert scene.cli("graph", "--format", "png").code == Exit.USAGE
    assert recovered(scene).code == Exit.BLOCKED
    run = scene.events()[0].run
    for name in (run, "newest"):
        assert 'CLASSIFY -> BLOCKED [label="3", penwidth=3]' in scene.cli("graph", "--format", "dot", "--run", name).out
    written, markdown = page(scene), scene.cli("report").out
    html = written.replace("<wbr>", "")
    embedded = Recovery(scene.folder, environment=scene.environment())
    assert embedded.report() == written
    assert embedded.report(run, "markdown") == markdown
    with pytest.raises(RecoveryError, match="has no run"):
        embedded.report("nobody")
    for text in (html, markdown):
        assert "the recovery is blocked in CLASSIFY (classify.drifted), nothing was changed." in text
        assert "timestamp with time zone" in text
        assert "One transaction wrote all" in text
        assert "PostgreSQL refused statement 1, so no attempt got as far as this" in text
        assert "the transaction that wrote table public.password_reset_tokens wrote it" in text
        assert "Make no objects by hand on production" in text
    assert (
        "| `table public.password_reset_tokens` | `column used_at` | `timestamp(3) without time zone` | absent |"
        in markdown
    )


def test_a_half_done_production_is_told(make: Make) -> None:
    """What is there is known to be the attempt's: PostgreSQL refused a later statement."""
    scene = make("partial")
    assert recovered(scene).code == Exit.BLOCKED
    markdown = scene.cli("report").out
    assert "The objects in production look like the failed attempt's own work." in markdown
    assert markdown.count("the attempt ran it, and was then refused at statement 3") == 2
    assert "since Prisma 7.4 each statement is committed by itself" in markdown


def test_a_file_is_written_wholly_or_not_at_all(make: Make) -> None:
    """What was there before stays until the new one is complete; a link stays a link, and a device a device.

    An unknown run, and a file that can't be written, have a code, and leave nothing half-written.
    """
    scene = make("drifted")
    assert recovered(scene).code == Exit.BLOCKED
    unknown = scene.cli("report", "nobody", "--html", "report.html")
    assert (unknown.code, "(run.unknown)" in unknown.err) == (Exit.USAGE, True)
    assert not (scene.folder / "report.html").exists()
    for place in ("missing/report.html", ".", "prisma"):
        done = scene.cli("report", "--html", place)
        assert (done.code, "(report.unwritable)" in done.err) == (Exit.USAGE, True), done
    assert [path.name for path in scene.folder.iterdir() if path.name.startswith(".report")] == []
    kept, link = scene.folder / "kept.html", scene.folder / "link.html"
    kept.write_text("before")
    link.symlink_to(kept)
    assert scene.cli("report", "--html", "link.html", "--markdown", "/dev/null").code == 0
    assert link.is_symlink()
    assert kept.read_text().startswith("<!DOCTYPE html>")
    assert kept.stat().st_mode & 0o077 == 0o666 & 0o077 & ~_umask()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert scene.cli("report", "--html", "-").out == kept.read_text()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_no_secret_is_in_a_report(make: Make, tmp_path: Path) -> None:
    """A password that stands in the logs, in a difference and in the URL is in no report, and not in the journal.

    So it is with either journal; and whoever can read one in the target makes the report, without the project.
    """
    scene = make("exists")
    # The server asks nobody for it; whoever is connected does not know that.
    url = scene.incident.database_url.replace("postgres@", f"postgres:{quote(PASSWORD, safe='')}@", 1)
    assert url != scene.incident.database_url
    scene.variables["DATABASE_URL"] = url
    # An error can quote what it was given, and so can what people make by hand.
    scene.sql(f"UPDATE _prisma_migrations SET logs = logs || ' {PASSWORD} {url}' WHERE finished_at IS NULL")
    scene.sql(f"ALTER TABLE password_reset_tokens ADD CONSTRAINT c CHECK (token_hash <> '{PASSWORD}')")
    (tmp_path / "elsewhere").mkdir()
    for where in ("", TARGET):
        scene.variables[JOURNAL_VARIABLE] = where
        assert recovered(scene).code == Exit.BLOCKED
        told = [
            scene.cli("report", "--html", "-").out,
            scene.cli("report").out,
            scene.cli("graph", "--run", "newest").out,
        ]
        assert all(told)
        assert "`constraint c` | absent | `CHECK ((token_hash <> '***'::text))`" in told[1]
        if where:
            bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
            read = ("report", "--journal", scene.incident.database_url)
            code, out, err = warm.run(read, cwd=tmp_path / "elsewhere", env=bare, timeout=SECONDS)
            assert (code, f"{FAILED} failed (object exists, 42P07)" in out) == (0, True), err
            assert "the recovery is blocked in CLASSIFY" in out
        recorded = [str(event.payload) for event in scene.events()]
        assert recorded
        for secret in (PASSWORD, quote(PASSWORD, safe=""), "battery"):
            assert [text for text in (*told, *recorded) if secret in text] == []
