"""Who may say yes, and to what; approvals; giving up."""

import hashlib
import json
import re
from collections.abc import Callable

from recovery.journal.run_record import Kind
from recovery.postgres.url import parse
from states.table import State
from tests.acceptance.scene import APPLIED, MARKED_APPLIED, STUCK, Scene, Terminal
from tests.staging import Case
from tests.staging.incident import FAILED

Make = Callable[[Case], Scene]
MEND = """
ALTER TABLE password_reset_tokens ALTER expires_at TYPE timestamp(3), ADD used_at timestamp(3);
CREATE INDEX password_reset_tokens_expires_at_idx ON password_reset_tokens (expires_at);
ALTER TABLE password_reset_tokens ADD CONSTRAINT password_reset_tokens_user_id_fkey
  FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE ON UPDATE CASCADE;
"""


def auto(scene: Scene, *words: str) -> None:
    """Sets `auto` in the configuration."""
    text = re.sub(r"^auto = .*\n", "", scene.configuration.read_text(), flags=re.MULTILINE)
    scene.configuration.write_text(f"auto = {json.dumps(words)}\n{text}")


def digest(scene: Scene) -> str:
    """What `inspect` says that the evidence is."""
    evidence: str = json.loads(scene.cli("inspect", "--json").out)["failed"][0]["evidence_digest"]
    return evidence


def approve(scene: Scene, way: str, evidence: str) -> tuple[int, str]:
    """A person's decision; exit code, and what was said."""
    done = scene.cli("approve", FAILED, way, "--evidence", evidence, "--reason", "the team looked at it")
    return done.code, done.said


def test_each_kind_of_change_needs_a_consent_of_its_own(make: Make) -> None:
    """Where nobody can be asked and nobody agreed, exit code 3 and how to agree; nothing is changed.

    `auto` agrees to what it names only. In a terminal each effect is asked about with its command, and its word goes
    on. With another word in `auto`, the next run goes on from there.
    """
    scene = make("exists")
    scene.rehearse()
    before = scene.everything()
    done = scene.cli("run")
    assert done.code == 3, done
    assert "classify.consent" in done.out
    assert "--yes" in done.out
    auto(scene, "not_applied", "deploy")
    assert "classify.consent" in scene.cli("run").out
    assert scene.everything() == before
    assert scene.effects("intended") == []
    auto(scene)
    terminal = Terminal(scene, "run")
    terminal.until("Type “applied”")
    assert f"prisma migrate resolve --applied {FAILED}" in terminal.said
    terminal.type("applied")
    terminal.until("Type “deploy”")
    terminal.type("yes")
    assert terminal.end() == 3
    assert "deploy.consent" in terminal.said
    assert scene.ledger() == MARKED_APPLIED
    auto(scene, "applied")
    done = scene.cli("run")
    assert done.code == 3, done
    assert "deploy.consent" in done.out
    assert scene.ledger() == MARKED_APPLIED
    auto(scene, "applied", "not_applied", "deploy")
    done = scene.cli("run")
    assert done.code == 0, done
    assert scene.ledger() == APPLIED
    assert [command[1] for command in scene.commands()] == ["resolve", "deploy"]


def test_what_a_decision_assumes_is_typed_too(make: Make) -> None:
    """No evidence tells whether somebody ran the script's UPDATE by hand: `--yes` does not cover it, a person does."""
    scene = make("absent")
    path = scene.folder / "prisma" / "migrations" / FAILED / "migration.sql"
    path.write_text(path.read_text() + "\nUPDATE users SET email = upper(email);\n")
    scene.commit("with an UPDATE")
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    scene.sql(f"UPDATE _prisma_migrations SET checksum = '{checksum}' WHERE migration_name = '{FAILED}'")
    alone = scene.cli("run", "--yes")
    assert (alone.code, "classify.assumption" in alone.out) == (3, True), alone
    assert scene.ledger() == STUCK
    terminal = Terminal(scene, "run")
    terminal.until("Type “nobody” if nobody did")
    for question in ("nobody", "rolled back", "deploy"):
        terminal.until(f"Type “{question}”")
        terminal.type(question)
    assert terminal.end() == 0
    assert scene.sql("SELECT count(*) FROM users WHERE email = upper(email)") == [(3,)]


def test_the_database_is_named_by_a_person_where_nothing_names_it(make: Make) -> None:
    """Without [production], the database's name is typed in a terminal; a wrong one, or nobody, exits with 4.

    A stray Return, where a word is asked for then, does not go on.
    """
    scene = make("exists")
    text = scene.configuration.read_text()
    scene.configuration.write_text(re.sub(r"^(host|database) = .*\n", "", text, flags=re.MULTILINE))
    before = scene.everything()
    alone = scene.cli("run", "--yes")
    assert alone.code == 4, alone
    assert "preflight.target.identity" in alone.out
    wrong = Terminal(scene, "run")
    wrong.until("Type the name of the production database")
    place = parse(scene.incident.database_url)
    assert f"{place.host}:{place.port}, URL from DATABASE_URL" in wrong.said
    assert scene.database not in wrong.said, "whoever answers is to know it"
    wrong.type("staging")
    assert wrong.end() == 4
    assert "another name was typed" in wrong.said
    right = Terminal(scene, "run")
    right.until("Type the name of the production database")
    right.type(scene.database)
    right.until("Type “applied”")
    right.type("")
    assert right.end() == 3
    assert "classify.consent" in right.said
    assert scene.everything() == before


def test_what_does_not_hold_is_refused_unless_it_is_taken_on_by_name(make: Make) -> None:
    """Another host, database or commit than the expected one: exit code 4, nothing is changed.

    So it is with a change of the migrations folder that is in no commit; `--waive` takes that check on.
    """
    scene = make("exists")
    before = scene.everything()
    for expected in (
        ("--expect-database", "other"),
        ("--expect-host", "db.example.com"),
        ("--expect-commit", "HEAD~1"),
    ):
        done = scene.cli("run", "--yes", *expected)
        assert done.code == 4, done
        assert "What to do:" in done.out
    script = scene.folder / "prisma/migrations/20260217200000_golden_first_intake/migration.sql"
    script.write_text(script.read_text() + "-- not committed\n")
    done = scene.cli("run", "--yes")
    assert done.code == 4, done
    assert "preflight.git.clean" in done.out
    assert "golden_first_intake" in done.out
    waived = scene.cli("run", "--waive", "git.clean=a remark only")
    assert waived.code == 3, waived
    assert "waived: a remark only" in waived.out
    assert "classify.consent" in waived.out
    assert scene.everything() == before


def give_up(scene: Scene) -> None:
    """Ends the unfinished run, of which `status` tells."""
    given_up = scene.cli("abort", "--reason", "restored from backup instead")
    assert given_up.code == 0, given_up
    (standing,) = json.loads(scene.cli("status", "--json").out)["runs"]
    assert (standing["state"], standing["because"]) == ("ABORTED", "restored from backup instead")
    assert "ABORTED" in scene.cli("status").out
    assert scene.path()[-1] is State.ABORTED


def test_a_recovery_is_given_up_or_approved_and_proven_all_the_same(make: Make) -> None:
    """`abort` ends the unfinished run and changes nothing; `status` tells, and the next run is a new one.

    What is approved is this evidence. With any other the approval is void, and nothing is changed. As it was, and
    approved as applied, a drifted migration is marked and the rest deployed; the gate stays shut until mended.
    """
    scene = make("drifted")
    assert "The journal holds no recovery." in scene.cli("status").out
    assert scene.cli("abort").code == 2
    blocked = scene.cli("run", "--yes")
    assert blocked.code == 3, blocked
    evidence = digest(scene)
    # All of it is not there, so no command is offered that says so; whoever knows better has the digest.
    assert "--applied" not in blocked.out
    assert f"evidence {evidence}" in blocked.out
    assert f"approve {FAILED} --rolled-back" not in blocked.out, "some of it is seen to be there"
    (standing,) = json.loads(scene.cli("status", "--json").out)["runs"]
    assert standing["state"] == "BLOCKED"
    assert [each["line"] for each in standing["commands"]][:1] == ["prisma-recovery run --repair"]
    assert not any("approve" in each["line"] for each in standing["commands"]), "nothing of it is true as it stands"
    # The table that the script makes is there, so a deploy would fail on it again.
    before = scene.everything()
    assert approve(scene, "--rolled-back", evidence)[0] == 0
    mistaken = scene.cli("run", "--yes")
    assert (mistaken.code, "classify.cause_holds" in mistaken.out) == (3, True), mistaken
    assert "password_reset_tokens" in mistaken.out
    give_up(scene)
    assert scene.everything() == before
    anew = scene.cli("run", "--yes")
    assert (anew.code, "begins" in anew.out) == (3, True), anew
    assert approve(scene, "--applied", evidence)[0] == 0
    standing = json.loads(scene.cli("status", "--json").out)["runs"]
    assert len(standing) == 2
    (decided,) = (run for run in standing if run["state"] == "BLOCKED")
    assert [command["line"] for command in decided["commands"]] == ["prisma-recovery run"], "it is decided"
    assert "Run again" in decided["next"]
    scene.sql("ALTER TABLE password_reset_tokens ALTER expires_at TYPE date")
    changed = scene.everything()
    void = scene.cli("run", "--yes")
    assert void.code == 3, void
    assert "classify.drifted" in void.out
    assert "is void" in void.out
    assert scene.everything() == changed
    scene.sql("ALTER TABLE password_reset_tokens ALTER expires_at TYPE timestamptz")
    assert digest(scene) == evidence
    done = scene.cli("run", "--yes")
    assert done.code == 7, done
    assert "verify.differs" in done.out
    assert "column expires_at type" in done.out
    assert scene.ledger() == APPLIED
    closed = scene.cli("pipeline")
    assert (closed.code, "pipeline.not_ready" in closed.out) == (3, True), closed
    scene.sql(MEND)
    mended = scene.cli("run", "--yes")
    assert mended.code == 0, mended
    assert "goes on" in mended.out
    assert scene.effects("intended") == ["mark_applied", "deploy"]


def test_a_plan_of_repair_is_approved_by_its_own_digest_and_what_could_never_count_is_refused(make: Make) -> None:
    """Of other evidence, of an unknown migration, of both or neither way, or of half a script: exit code 2.

    `--yes` is no consent to a repair. The approved plan is carried out, and no other; its script can be printed.
    """
    scene = make("partial")
    assert "run.none" in approve(scene, "--applied", "sha256:0")[1]
    assert "classify.partial" in scene.cli("run", "--yes").out
    (failed,) = json.loads(scene.cli("inspect", "--json").out)["failed"]
    evidence = failed["evidence_digest"]
    undo = {plan["way"]: plan["digest"] for plan in failed["repair"]["plans"]}["undo"]
    before = len(scene.events())
    for code, (name, *words) in (
        ("approve.other_evidence", (FAILED, "--applied", "--evidence", "sha256:0", "--reason", "x")),
        ("approve.never", (FAILED, "--applied", "--evidence", evidence, "--reason", "x")),
        (
            "approve.unknown_migration",
            ("20200101000000_no_such", "--applied", "--evidence", "sha256:0", "--reason", "x"),
        ),
        ("approve.one", (FAILED, "--applied", "--rolled-back", "--evidence", evidence, "--reason", "x")),
        ("approve.reason", (FAILED, "--applied", "--evidence", evidence, "--reason", " ")),
    ):
        refused = scene.cli("approve", name, *words)
        assert (refused.code, code in refused.err) == (2, True), refused
    assert approve(scene, "--repair", "sha256:0")[0] == 2
    assert len(scene.events()) == before
    script = scene.cli("repair", "--sql", "--way", "undo").out
    assert f"-- {undo}\n" in script
    assert script.endswith("\nDROP TABLE public.password_reset_tokens;\nCOMMIT;\n")
    assert approve(scene, "--repair", undo)[0] == 0
    done = scene.cli("run", "--yes")
    assert done.code == 0, done
    assert [event.payload["effect"].partition(":")[0] for event in scene.events() if event.kind == Kind.INTENDED] == [
        "undo",
        "mark_rolled_back",
        "deploy",
    ]
    assert f"✓ undid {FAILED}" in " ".join(scene.cli("status").out.split())


def test_a_person_says_which_rows_are_done_and_the_plan_follows(make: Make) -> None:
    """An UPDATE in what is half done: without an answer there is no plan; with it the plan runs that UPDATE once."""
    scene = make("partial")
    path = scene.folder / "prisma" / "migrations" / FAILED / "migration.sql"
    path.write_text(path.read_text() + "\nUPDATE users SET email = email || '!';\n")
    scene.commit("with an UPDATE")
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    scene.sql(f"UPDATE _prisma_migrations SET checksum = '{checksum}', logs = NULL WHERE migration_name = '{FAILED}'")
    stopped = scene.cli("run", "--yes", "--repair")
    assert stopped.code == 3, stopped
    found = re.search(r"--statement 6=done --evidence (sha256:\w+)", " ".join(stopped.out.split()))
    assert found, stopped

    def answer(statement: str) -> tuple[int, str]:
        words = ("--statement", statement, "--evidence", found[1], "--reason", "nobody was at it")
        done = scene.cli("approve", FAILED, *words)
        return done.code, done.said

    code, said = answer("1=not-done")
    assert (code, "approve.statement_known" in said) == (2, True), said
    before = scene.sql("SELECT email FROM users ORDER BY id")
    assert answer("6=not-done")[0] == 0
    done = scene.cli("run", "--repair")
    assert (done.code, "(classify.consent)" in done.out) == (3, True), done  # the plan is done; nobody agreed to a mark
    assert scene.sql("SELECT email FROM users ORDER BY id") == [(f"{email}!",) for (email,) in before]
