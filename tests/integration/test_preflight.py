"""What preflight knows for a fact: real repositories, a real primary, a real replica."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread

import pytest

from recovery.errors import UnreachableError
from recovery.journal.confirmations import Confirmation, confirmations
from recovery.journal.run_record import Kind
from recovery.journal.stores import FileStore
from recovery.postgres.locks import PRISMA_LOCK
from recovery.postgres.target import Target
from recovery.postgres.url import parse
from recovery.preflight import activity
from recovery.preflight.image import checksum
from states.facts import Outcome
from tests.integration.rules.production import Production
from tests.integration.site import EDITED, NAME, SCRIPT, commit, git, look
from tests.staging import Server, start_replica


def test_a_folder_that_has_all_that_was_applied(production: Production) -> None:
    """Every applied migration is there as it ran: the check holds, with git and without."""
    production.before(SCRIPT)
    check = look(production)["git.ledger"]
    assert (check.outcome, check.seen) == (Outcome.HELD, "2 applied, each in the folder as it ran")
    commit(production)
    assert look(production)["git.ledger"] == check


def test_other_line_endings_are_the_same_script(production: Production) -> None:
    """A checkout on Windows is no other checkout; Prisma takes it for the same too."""
    production.before(SCRIPT)
    production.file(NAME, SCRIPT.replace("\n", "\r\n"))
    assert look(production)["git.ledger"].outcome is Outcome.HELD


def test_a_file_that_was_edited_since(production: Production) -> None:
    """What ran is in a commit before HEAD: the checkout is the right one, and the commit is named."""
    production.before(SCRIPT)
    ran = commit(production)
    production.file(NAME, EDITED)
    commit(production)
    check = look(production)["git.ledger"]
    assert check.outcome is Outcome.HELD
    assert check.seen == f"edited since they were applied: {NAME} (as it ran: commit {ran[:12]})"


def test_a_script_of_another_branch(production: Production) -> None:
    """What ran is in no commit before HEAD: production was deployed from another branch, whose commit is named."""
    first = commit(production)
    git(production.folder, "switch", "-q", "-c", "deployed")
    production.before(SCRIPT)
    ran = commit(production)
    git(production.folder, "switch", "-q", "-c", "other", first)
    production.file(NAME, EDITED)
    commit(production)
    check = look(production)["git.ledger"]
    assert check.outcome is Outcome.REFUSED
    assert f"commit {ran[:12]}, which is not in the history of HEAD" in check.seen
    assert "Check out the commit" in check.remedy


def test_a_script_that_nobody_committed(production: Production) -> None:
    """What ran is nowhere to be found: refused, and it can be taken on by name."""
    production.before(SCRIPT)
    production.file(NAME, EDITED)
    commit(production)
    assert look(production)["git.ledger"].outcome is Outcome.REFUSED
    assert "in no commit here" in look(production)["git.ledger"].seen
    check = look(production, waived={"git.ledger": "edited on the server"})["git.ledger"]
    assert check.outcome is Outcome.WAIVED
    assert check.seen.endswith("waived: edited on the server")


def test_an_older_checkout(production: Production) -> None:
    """An applied migration is missing: refused, with the commit that has it, and with the squash as the way round."""
    first = commit(production)
    production.before(SCRIPT)
    ran = commit(production)
    git(production.folder, "checkout", "-q", first)
    check = look(production)["git.ledger"]
    assert check.outcome is Outcome.REFUSED
    assert NAME in check.seen
    assert ran[:12] in check.seen
    assert "--waive git.ledger=" in check.remedy
    assert "squashed" in check.remedy


def test_without_git_a_difference_is_refused(production: Production) -> None:
    """Outside a checkout nothing tells whether another script ran on purpose."""
    production.before(SCRIPT)
    production.file(NAME, EDITED)
    check = look(production)["git.ledger"]
    assert check.outcome is Outcome.REFUSED
    assert "Take the folder out of the image that ran the script, too, and name it: --scripts DIR." in check.remedy


def test_an_image_is_named_by_its_folder(production: Production) -> None:
    """Without a checkout the folder's checksum stands for the commit: it is shown, and can be demanded."""
    production.before(SCRIPT)
    checks = look(production)
    name = checksum(production.folder)
    for check in ("git.commit", "git.clean", "git.ledger"):
        assert checks[check].outcome is Outcome.HELD
    assert name in checks["git.commit"].seen
    assert look(production, commit=name)["git.commit"].outcome is Outcome.HELD
    tag = look(production, commit="v12")["git.commit"]
    assert (tag.outcome, name in tag.remedy) == (Outcome.UNKNOWN, True)
    production.file(NAME, EDITED)
    assert look(production, commit=name)["git.commit"].outcome is Outcome.REFUSED


def test_a_folder_taken_out_of_an_image_may_lie_in_a_checkout(production: Production) -> None:
    """Uncommitted in a repository of something else, it is refused, and the remedy is to say that it is an image's."""
    production.before(SCRIPT)
    git(production.folder.parent, "init", "-q")
    check = look(production)["git.clean"]
    assert (check.outcome, 'source = "image"' in check.remedy) == (Outcome.REFUSED, True)
    checks = look(production, source="image")
    assert {checks[name].outcome for name in ("git.commit", "git.clean", "git.ledger")} == {Outcome.HELD}


def test_a_remote_branch_can_be_demanded(production: Production, tmp_path: Path) -> None:
    """`--expect-commit origin/main` is where that branch was when it was last fetched."""
    commit(production)
    git(production.folder, "branch", "-M", "main")
    git(tmp_path, "clone", "-q", str(production.folder.parent), "clone")
    upstream, production.folder = production.folder, tmp_path / "clone" / "migrations"
    check = look(production, commit="origin/main")["git.commit"]
    assert (check.outcome, "(origin/main as last fetched)" in check.seen) == (Outcome.HELD, True)
    Production(production.server, upstream, production.workshop).file("20260103_next", "SELECT 1;")
    git(upstream.parent, "add", "-A")
    git(upstream.parent, "commit", "-q", "-m", "next")
    git(production.folder, "fetch", "-q")
    check = look(production, commit="origin/main")["git.commit"]
    assert check.outcome is Outcome.REFUSED
    assert git(upstream, "rev-parse", "HEAD")[:12] in check.seen
    assert look(production, commit="origin/nowhere")["git.commit"].outcome is Outcome.REFUSED


@pytest.fixture
def guest(production: Production) -> Iterator[str]:
    """A role that may look at everything, and nothing else."""
    role = f"{production.database}_guest"
    production.run(f"CREATE ROLE {role} LOGIN; GRANT pg_read_all_data TO {role}")
    yield role
    production.run(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_the_role_that_deploys(production: Production) -> None:
    """The owner of ledger and tables lacks nothing."""
    check = look(production)["target.privileges"]
    assert check.outcome is Outcome.HELD
    assert check.seen == "role postgres; the ledger is postgres's; tables: 1 of postgres"


def test_a_role_that_may_not_change_anything(production: Production, guest: str) -> None:
    """What it lacks is said in words; what the remedy proposes is enough."""
    production.user = guest
    check = look(production)["target.privileges"]
    assert check.outcome is Outcome.REFUSED
    for words in ("may not INSERT", "may not UPDATE", "may not create", "not a member of postgres"):
        assert words in check.seen
    production.run(check.remedy.partition("run: ")[2])
    assert look(production)["target.privileges"].outcome is Outcome.HELD


def test_each_privilege_counts(production: Production, guest: str) -> None:
    """With all but one, that one is what is asked for."""
    production.run(
        f"GRANT postgres TO {guest} WITH INHERIT FALSE; GRANT CREATE ON SCHEMA public TO {guest};"
        f" GRANT INSERT, UPDATE ON _prisma_migrations TO {guest}; ALTER TABLE t OWNER TO {guest}"
    )
    production.user = guest
    assert look(production)["target.privileges"].outcome is Outcome.HELD
    production.run(f"REVOKE UPDATE ON _prisma_migrations FROM {guest}")
    assert f'GRANT UPDATE ON "public"._prisma_migrations TO "{guest}";' in look(production)["target.privileges"].remedy
    production.run("ALTER TABLE t OWNER TO postgres")
    assert f'GRANT "postgres" TO "{guest}";' in look(production)["target.privileges"].remedy


def test_a_ledger_whose_rows_are_hidden(production: Production, guest: str) -> None:
    """Row level security would show a ledger without rows, and so a history of which nothing failed."""
    production.run(
        f"GRANT CREATE ON SCHEMA public TO {guest}; GRANT INSERT, UPDATE ON _prisma_migrations TO {guest};"
        f" ALTER TABLE t OWNER TO {guest}; ALTER TABLE _prisma_migrations ENABLE ROW LEVEL SECURITY"
    )
    assert look(production)["target.privileges"].outcome is Outcome.HELD
    production.user = guest
    check = look(production)["target.privileges"]
    assert check.outcome is Outcome.REFUSED
    assert "row level security" in check.seen


def test_a_replica(production: Production, server: Server) -> None:
    """A server that follows another one is no place for a recovery."""
    with start_replica(server) as replica:
        target = Target(parse(replica.url(production.database)), "the test")
        check = look(production, target)["target.primary"]
    assert (check.outcome, check.seen) == (Outcome.REFUSED, "a replica")
    assert look(production)["target.primary"].outcome is Outcome.HELD


def test_a_database_that_is_read_only(production: Production) -> None:
    """So is one that takes no writes."""
    production.run(f"ALTER DATABASE {production.database} SET default_transaction_read_only = on")
    check = look(production)["target.primary"]
    assert (check.outcome, check.seen) == (Outcome.REFUSED, "a read-only database: default_transaction_read_only is on")


def test_an_orphan_with_prismas_lock(production: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is idle with the lock for long has lost its client; how to end it is proposed, and not done."""
    with production.server.connect(production.database) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", [PRISMA_LOCK])
        holder.execute("SET application_name = 'migrate'")
        pid = holder.info.backend_pid
        check = look(production)["deploy.lock"]
        assert (check.outcome, check.busy) == (Outcome.REFUSED, True)
        assert f"pid {pid} (postgres, migrate, local, idle since" in check.seen
        assert "pg_terminate_backend" not in check.remedy
        monkeypatch.setattr(activity, "ORPHAN_SECONDS", 0.0)
        check = look(production)["deploy.lock"]
        assert "an orphan" in check.seen
        assert f"SELECT pg_terminate_backend({pid});" in check.remedy
        with holder.transaction():
            holder.execute("SELECT 1")
            assert "pg_terminate_backend" not in look(production)["deploy.lock"].remedy
        assert holder.execute("SELECT 1").fetchone() == (1,)
    assert look(production)["deploy.lock"].outcome is Outcome.HELD


def waits(production: Production, statement: str) -> Thread:
    """A session that waits for a lock, and is seen to."""
    thread = Thread(target=production.run, args=(statement,))
    thread.start()
    with production.server.connect(production.database) as other:
        while other.execute("SELECT FROM pg_locks WHERE NOT granted").fetchone() is None:
            assert thread.is_alive()
    return thread


def test_who_waits_for_prismas_lock(production: Production) -> None:
    """The queue is told: who waits, and behind whom."""
    with production.server.connect(production.database) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", [PRISMA_LOCK])
        pid = holder.info.backend_pid
        assert "waits behind" not in look(production)["deploy.lock"].seen
        thread = waits(production, f"SELECT pg_advisory_lock({PRISMA_LOCK})")
        seen = look(production)["deploy.lock"].seen
        assert seen.endswith(f" waits behind pid {pid}")
        assert "active since" in seen
    thread.join()


def test_who_waits_to_change_the_schema(production: Production) -> None:
    """DDL that waits for a reader names the reader; what waits behind it is named too."""
    with production.server.connect(production.database) as reader, reader.transaction():
        reader.execute("SELECT FROM t")
        thread = waits(production, "ALTER TABLE t ADD b int")
        check = look(production)["deploy.ddl"]
        assert (check.outcome, check.busy) == (Outcome.REFUSED, True)
        assert f"it waits behind pid {reader.info.backend_pid}" in check.seen
    thread.join()
    assert look(production)["deploy.ddl"].outcome is Outcome.HELD


def confirm(folder: Path, target: Target, identifier: str, outcome: Outcome) -> None:
    """A run of another time, as its journal has it."""
    journal = FileStore(folder).open(f"{identifier}/{target.identity.database}/public")
    journal.append("run-1", Kind.STARTED, "PREFLIGHT", {"target": str(target.url), "source": "x"})
    seen = {"target.identity": {"outcome": outcome, "seen": "x"}}
    journal.append("run-1", Kind.CHECKED, "PREFLIGHT", seen)
    journal.close()


def test_what_is_taken_on_by_name_stands_in_the_way_of_no_other_check(production: Production) -> None:
    """Another server under the same name, confirmed by its reason: who is at work there is looked at all the same."""
    checks = look(production, host="elsewhere", waived={"target.identity": "moved"})
    assert checks["target.identity"].outcome is Outcome.WAIVED
    assert {checks[name].outcome for name in ("deploy.lock", "deploy.ddl")} == {Outcome.HELD}


@pytest.mark.parametrize(
    ("outcome", "expected"), [("held", "refused"), ("waived", "refused"), ("refused", "held"), ("unknown", "held")]
)
def test_another_server_under_the_same_name(
    production: Production, tmp_path: Path, outcome: str, expected: str
) -> None:
    """What was confirmed once is the server, not only its name; what was not confirmed pins nothing."""
    target = production.target()
    confirm(tmp_path, target, "7000000000000000001", Outcome(outcome))
    check = look(production, confirmed=lambda: confirmations(FileStore(tmp_path)))["target.identity"]
    target.close()
    assert check.outcome == expected
    assert ("7000000000000000001" in check.seen) == (expected == "refused")
    assert ("--waive target.identity=" in check.remedy) == (expected == "refused")


def test_the_last_confirmation_counts(production: Production, tmp_path: Path) -> None:
    """Confirmed anew, the new server is the one; another database's confirmation is none of this one's."""
    target, other = production.target(), Target(parse(production.server.url("postgres")), "the test")
    confirm(tmp_path, target, "7000000000000000001", Outcome.HELD)
    confirm(tmp_path, target, target.identity.system_identifier or "", Outcome.WAIVED)
    confirm(tmp_path, other, "7000000000000000002", Outcome.HELD)
    check = look(production, confirmed=lambda: confirmations(FileStore(tmp_path)))["target.identity"]
    target.close()
    other.close()
    assert check.outcome is Outcome.HELD


def test_a_name_that_is_typed_says_no_host(production: Production, tmp_path: Path) -> None:
    """Many databases are called the same: where another one was confirmed so far, this one's host has to be named."""
    url = production.server.url(production.database)
    other = Target(parse(url.replace("127.0.0.1", "localhost")), "the test")
    confirm(tmp_path, other, "7000000000000000001", Outcome.HELD)
    other.close()

    def confirmed() -> Sequence[Confirmation]:
        return confirmations(FileStore(tmp_path))

    check = look(production, confirmed=confirmed)["target.identity"]
    assert check.outcome is Outcome.REFUSED
    assert (
        f"so far the database of this name was the one on localhost:{production.server.port} (run run-1)" in check.seen
    )
    assert "--expect-host" in check.remedy
    assert look(production, confirmed=confirmed, host="127.0.0.1")["target.identity"].outcome is Outcome.HELD
    target = production.target()
    confirm(tmp_path, target, target.identity.system_identifier or "", Outcome.HELD)
    target.close()
    assert look(production, confirmed=confirmed)["target.identity"].outcome is Outcome.HELD


def test_a_journal_that_cannot_be_read(production: Production) -> None:
    """Whether it is the same server is not known then, and that is no pass."""

    def unreadable() -> Sequence[Confirmation]:
        raise UnreachableError("journal.unreachable", "The journal's database does not answer.", "See that it is up.")

    check = look(production, confirmed=unreadable)["target.identity"]
    assert (check.outcome, check.remedy) == (Outcome.UNKNOWN, "See that it is up.")
