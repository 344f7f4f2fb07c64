"""Each check of preflight, staged three times: it holds, it is refused, it can't be told."""

import itertools
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Literal

import psycopg
import pytest

from recovery.effects import orphans
from recovery.errors import PreflightError, UnreachableError
from recovery.platform import neon
from recovery.platform.http import Limits
from recovery.platform.vercel import Production as Vercel
from recovery.postgres.locks import PRISMA_LOCK, RECOVERY_LOCK
from recovery.postgres.target import Target
from recovery.postgres.url import parse
from recovery.preflight import activity
from recovery.preflight.checks import command_check
from recovery.prisma import project
from recovery.prisma.cli import PrismaCli
from recovery.prisma.sentinel import proven
from states.checks import NAMES
from states.facts import Check, Outcome
from states.handover import START_SECONDS
from tests.acceptance.scene import Held, Scene
from tests.integration.rules.production import Production
from tests.integration.site import EDITED, NAME, SCRIPT, Site, commit, git, look
from tests.platform.conftest import Answer, Platform
from tests.staging import Case, start_pooler, start_replica

HELD, REFUSED, UNKNOWN = Outcome.HELD, Outcome.REFUSED, Outcome.UNKNOWN
SHA = "a" * 40

Stage = Callable[[Site], Check]
STAGED: dict[tuple[str, Outcome], Stage] = {}


def staged(name: str, outcome: Outcome) -> Callable[[Stage], Stage]:
    """The way in which a check comes to this."""

    def add(stage: Stage) -> Stage:
        assert (name, outcome) not in STAGED
        STAGED[name, outcome] = stage
        return stage

    return add


@pytest.fixture
def site(production: Production, tmp_path: Path, make: Callable[[Case], Scene]) -> Iterator[Site]:
    """A production, its checkout, a role that deploys, and platforms."""
    role, platform = f"{production.database}_deployer", Platform()
    production.run(
        f"CREATE ROLE {role} LOGIN; GRANT CREATE ON SCHEMA public TO {role}; ALTER TABLE t OWNER TO {role};"
        f" ALTER TABLE _prisma_migrations OWNER TO {role}"
    )
    commit(production)
    yield Site(production, role, platform, tmp_path, make)
    platform.close()
    production.server.drop_database(production.database)
    with production.server.connect() as connection:
        connection.execute(f"DROP ROLE {role}".encode())


#: Where a session cannot be told to be one, none is worked with: an error, and no list of checks.
NO_SESSION = ("target.direct", UNKNOWN)
ALL = [each for each in itertools.product(NAMES, (HELD, REFUSED, UNKNOWN)) if each != NO_SESSION]


@pytest.mark.parametrize(("name", "outcome"), ALL)
def test_a_check(site: Site, name: str, outcome: Outcome) -> None:
    """It says what it saw and where; where it does not hold, also what to do."""
    check = STAGED[name, outcome](site)
    assert (check.name, check.outcome) == (name, outcome), check
    assert check.seen
    assert check.source
    assert bool(check.remedy) == (outcome is not HELD)


@staged("target.identity", HELD)
def _(site: Site) -> Check:
    return look(site.production, typed=None, host="127.0.0.1", database=site.production.database)["target.identity"]


@staged("target.identity", REFUSED)
def _(site: Site) -> Check:
    check = look(site.production, host="db.example.com", database=site.production.database)["target.identity"]
    assert "expected the host db.example.com" in check.seen
    assert "; URL from the test" in check.seen
    return check


@staged("target.identity", UNKNOWN)
def _(site: Site) -> Check:
    return look(site.production, typed=None)["target.identity"]


@staged("target.primary", HELD)
def _(site: Site) -> Check:
    return look(site.production)["target.primary"]


@staged("target.primary", REFUSED)
def _(site: Site) -> Check:
    """By real streaming."""
    with start_replica(site.production.server) as replica:
        target = Target(parse(replica.url(site.production.database)), "the test")
        checks = look(site.production, target)
    for name in ("deploy.lock", "deploy.ddl", "git.ledger"):
        assert checks[name].seen == "not looked at, because target.primary is refused"
    return checks["target.primary"]


@staged("target.primary", UNKNOWN)
def _(site: Site) -> Check:
    site.hide("FUNCTION pg_is_in_recovery()")
    check = look(site.production)["target.primary"]
    assert "permission denied for function pg_is_in_recovery" in check.seen
    return check


@staged("target.direct", HELD)
def _(site: Site) -> Check:
    """A pooler of sessions is no harm, where each keeps its backend; what we set is taken back with it."""
    assert look(site.production)["target.direct"].seen == "a session of its own"
    with start_pooler(site.production.server, "session") as place:
        check = look(site.production, site.through(place))["target.direct"]
        assert read_only(site.through(place)) == "off"
    assert check.seen == "a session of its own, behind a proxy"
    return check


@staged("target.direct", REFUSED)
def _(site: Site) -> Check:
    """By what the URL says of itself; a real one is below, since through it no check is made at all."""
    site.production.parameters = "?pgbouncer=true"
    return look(site.production)["target.direct"]


@staged("ledger.present", HELD)
def _(site: Site) -> Check:
    return look(site.production)["ledger.present"]


@staged("ledger.present", REFUSED)
def _(site: Site) -> Check:
    site.production.parameters = "?schema=misspelt"
    return look(site.production)["ledger.present"]


@staged("ledger.present", UNKNOWN)
def _(site: Site) -> Check:
    site.hide("pg_catalog.pg_class")
    return look(site.production)["ledger.present"]


@staged("target.privileges", HELD)
def _(site: Site) -> Check:
    site.as_role()
    return look(site.production)["target.privileges"]


@staged("target.privileges", REFUSED)
def _(site: Site) -> Check:
    site.production.run("ALTER TABLE t OWNER TO postgres; ALTER TABLE _prisma_migrations OWNER TO postgres")
    site.as_role()
    check = look(site.production)["target.privileges"]
    assert "the ledger is postgres's; tables: 1 of postgres" in check.seen
    assert f'GRANT SELECT, INSERT, UPDATE ON "public"._prisma_migrations TO "{site.role}";' in check.remedy
    return check


@staged("target.privileges", UNKNOWN)
def _(site: Site) -> Check:
    site.hide("FUNCTION has_table_privilege(oid, text)")
    return look(site.production)["target.privileges"]


@staged("deploy.lock", HELD)
def _(site: Site) -> Check:
    return look(site.production)["deploy.lock"]


@staged("deploy.lock", REFUSED)
def _(site: Site) -> Check:
    """Also where the role may not see what the holder does."""
    site.as_role()
    with site.production.server.connect(site.production.database) as holder:
        holder.execute("SET application_name = 'migrate'")
        holder.execute("SELECT pg_advisory_lock(%s)", [PRISMA_LOCK])
        check = look(site.production)["deploy.lock"]
        pid = holder.info.backend_pid
    assert f"held by pid {pid} (postgres, migrate, its client, state and statement are hidden" in check.seen
    assert "pg_read_all_stats" in check.remedy
    assert "pg_terminate_backend" not in check.remedy
    return check


@staged("deploy.lock", UNKNOWN)
def _(site: Site) -> Check:
    site.hide("pg_catalog.pg_locks")
    return look(site.production)["deploy.lock"]


@staged("deploy.ddl", HELD)
def _(site: Site) -> Check:
    """Whoever only reads and writes rows, hidden or not, does not change the schema."""
    site.as_role()
    with site.production.server.connect(site.production.database) as worker, worker.transaction():
        worker.execute("UPDATE t SET a = 2")
        return look(site.production)["deploy.ddl"]


@staged("deploy.ddl", REFUSED)
def _(site: Site) -> Check:
    with site.production.server.connect(site.production.database) as deployer, deployer.transaction():
        deployer.execute("ALTER TABLE t ADD COLUMN b int")
        return look(site.production)["deploy.ddl"]


@staged("deploy.ddl", UNKNOWN)
def _(site: Site) -> Check:
    site.hide("pg_catalog.pg_locks")
    return look(site.production)["deploy.ddl"]


@staged("git.commit", HELD)
def _(site: Site) -> Check:
    head = git(site.production.folder, "rev-parse", "HEAD")
    return look(site.production, commit=head)["git.commit"]


@staged("git.commit", REFUSED)
def _(site: Site) -> Check:
    git(site.production.folder, "tag", "released")
    site.production.file(NAME, SCRIPT)
    commit(site.production)
    check = look(site.production, commit="released")["git.commit"]
    assert git(site.production.folder, "rev-parse", "released")[:12] in check.seen
    return check


def without_git(site: Site) -> None:
    shutil.rmtree(site.production.folder.parent / ".git")


@staged("git.commit", UNKNOWN)
def _(site: Site) -> Check:
    without_git(site)
    return look(site.production, source="git")["git.commit"]


@staged("git.clean", HELD)
def _(site: Site) -> Check:
    return look(site.production)["git.clean"]


@staged("git.clean", REFUSED)
def _(site: Site) -> Check:
    """A script that git is told to ignore is in no commit either."""
    (site.production.folder.parent / ".gitignore").write_text("migrations\n")
    commit(site.production)
    (site.production.folder / "notes.txt").touch()
    assert look(site.production)["git.clean"].outcome is HELD
    site.production.file(NAME, SCRIPT)
    check = look(site.production)["git.clean"]
    assert check.seen == f"not committed: migrations/{NAME}/migration.sql"
    return check


@staged("git.clean", UNKNOWN)
def _(site: Site) -> Check:
    without_git(site)
    return look(site.production, source="git")["git.clean"]


@staged("git.ledger", HELD)
def _(site: Site) -> Check:
    return look(site.production)["git.ledger"]


@staged("git.ledger", REFUSED)
def _(site: Site) -> Check:
    site.production.before(SCRIPT)
    shutil.rmtree(site.production.folder / NAME)
    return look(site.production)["git.ledger"]


@staged("git.ledger", UNKNOWN)
def _(site: Site) -> Check:
    """What ran is in a commit that a shallow clone has not; with the history it holds."""
    upstream = site.production.folder.parent
    site.production.before(SCRIPT)
    commit(site.production)
    site.production.file(NAME, EDITED)
    commit(site.production)
    git(site.folder, "clone", "-q", "--depth", "1", f"file://{upstream}", "clone")
    site.production.folder = site.folder / "clone" / "migrations"
    check = look(site.production)["git.ledger"]
    assert "git fetch --unshallow" in check.remedy
    git(site.production.folder, "fetch", "-q", "--unshallow")
    assert look(site.production)["git.ledger"].outcome is HELD
    return check


def ask_neon(site: Site, *, default: bool) -> Check:
    endpoint = {"host": "127.0.0.1", "branch_id": "br-1", "type": "read_write", "current_state": "active"}
    branch = {"id": "br-1", "name": "main", "default": default}
    site.platform.says("/projects/p-1/endpoints", Answer({"endpoints": [endpoint]}))
    site.platform.says("/projects/p-1/branches", Answer({"branches": [branch]}))
    url = site.production.target().url
    return look(site.production, platforms=[partial(neon.branch_check, site.platform.api, "p-1", url, None)])[
        "neon.branch"
    ]


@staged("neon.branch", HELD)
def _(site: Site) -> Check:
    return ask_neon(site, default=True)


@staged("neon.branch", REFUSED)
def _(site: Site) -> Check:
    return ask_neon(site, default=False)


@staged("neon.branch", UNKNOWN)
def _(site: Site) -> Check:
    url = site.production.target().url
    check = partial(neon.branch_check, site.platform.api, "p-1", url, None)
    return look(site.production, platforms=[check])["neon.branch"]


def ask_vercel(site: Site, name: str, *, running: list[object] | None, commit: str = SHA) -> Check:
    if running is not None:
        ready = {"uid": "dpl_1", "readyState": "READY", "meta": {"githubCommitSha": commit}}
        site.platform.says("/v7/deployments BUILDING,QUEUED,INITIALIZING", Answer({"deployments": running}))
        site.platform.says("/v7/deployments READY", Answer({"deployments": [ready]}))
    vercel = Vercel(site.platform.api, "prj_1", None)
    head = git(site.production.folder, "rev-parse", "HEAD")
    platforms = [vercel.deploy_check, partial(vercel.commit_check, head, demanded=True)]
    return look(site.production, platforms=platforms)[name]


@staged("vercel.deploy", HELD)
def _(site: Site) -> Check:
    return ask_vercel(site, "vercel.deploy", running=[])


@staged("vercel.deploy", REFUSED)
def _(site: Site) -> Check:
    check = ask_vercel(site, "vercel.deploy", running=[{"uid": "dpl_2", "readyState": "BUILDING"}])
    assert check.busy
    return check


@staged("vercel.deploy", UNKNOWN)
def _(site: Site) -> Check:
    return ask_vercel(site, "vercel.deploy", running=None)


@staged("vercel.commit", HELD)
def _(site: Site) -> Check:
    head = git(site.production.folder, "rev-parse", "HEAD")
    return ask_vercel(site, "vercel.commit", running=[], commit=head)


@staged("vercel.commit", REFUSED)
def _(site: Site) -> Check:
    return ask_vercel(site, "vercel.commit", running=[])


@staged("vercel.commit", UNKNOWN)
def _(site: Site) -> Check:
    return ask_vercel(site, "vercel.commit", running=None)


@staged("recovery.alone", HELD)
def _(site: Site) -> Check:
    return look(site.production)["recovery.alone"]


@staged("recovery.alone", REFUSED)
def _(site: Site) -> Check:
    with site.production.server.connect(site.production.database) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [RECOVERY_LOCK])
        check = look(site.production)["recovery.alone"]
        assert f"pid {other.info.backend_pid} " in check.seen
    assert check.busy
    return check


@staged("recovery.alone", UNKNOWN)
def _(site: Site) -> Check:
    site.hide("pg_catalog.pg_locks")
    return look(site.production)["recovery.alone"]


@staged("prisma.target", HELD)
def _(site: Site) -> Check:
    return ask_prisma(site.make("exists"))


@staged("prisma.target", REFUSED)
def _(site: Site) -> Check:
    """The project's configuration takes its database from a variable that no pattern sees."""
    scene = site.make("exists")
    config = scene.folder / "prisma.config.ts"
    config.write_text(config.read_text().replace("process.env.DATABASE_URL", 'process.env["STAGING" + "_DB"]'))
    scene.variables["STAGING_DB"] = scene.server.url(scene.database)
    return ask_prisma(scene)


@staged("prisma.target", UNKNOWN)
def _(site: Site) -> Check:
    """A command that neither connects nor ends is given up, and ended."""
    scene = site.make("exists")
    scene.rehearse(other="hold")
    held = Held(scene.rehearsed)
    ticks = iter((0.0, 0.0, START_SECONDS + 1))
    command = [sys.executable, str(scene.rehearsed / "prisma.py")]
    check = ask_prisma(scene, command, lambda: next(ticks))
    held.close()
    return check


def ask_prisma(scene: Scene, command: list[str] | None = None, clock: Callable[[], float] = time.monotonic) -> Check:
    """The proof, made anew with the project's real Prisma."""
    found = project.find(scene.folder)
    cli = PrismaCli(found, project.find_launcher(found, command), scene.environment())
    return command_check(proven(cli, clock), START_SECONDS, cli.version)


def read_only(target: Target) -> str:
    """Whether another program's session, on the same backend, could write."""
    with psycopg.connect(target.url.conninfo, autocommit=True) as application:
        row = application.execute("SHOW default_transaction_read_only").fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize(("mode", "size"), [("transaction", 20), ("transaction", 1), ("statement", 20)])
def test_a_pooler(site: Site, mode: Literal["transaction", "statement"], size: int) -> None:
    """No session, no check: it is said, with the URL to use; and nothing of ours stays on a backend that others get."""
    with start_pooler(site.production.server, mode, size=size) as place:
        with pytest.raises(PreflightError) as caught:
            look(site.production, site.through(place))
        assert caught.value.code == "database.pooled"
        assert "DIRECT_URL" in caught.value.remedy
        assert read_only(site.through(place)) == "off"


def test_a_pooler_that_tells_nothing(site: Site) -> None:
    """Whether a session is one can't be told there: it is no pass."""
    with start_pooler(site.production.server, "session", clients=1) as place:
        with pytest.raises(UnreachableError):
            look(site.production, site.through(place))
        assert read_only(site.through(place)) == "off"


def test_an_orphan_of_a_pooler(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deploy through a transaction pooler left the lock on a backend that nobody's client has any more."""
    monkeypatch.setattr(activity, "ORPHAN_SECONDS", 0.0)
    with start_pooler(site.production.server, "transaction") as place:
        with psycopg.connect(site.through(place).url.conninfo, autocommit=True) as gone:
            gone.execute("SELECT pg_advisory_lock(72707369)")
        check = look(site.production)["deploy.lock"]
        assert "an orphan" in check.seen
        assert check.orphan is not None
        assert check.orphan.statement in check.remedy
        with closing(site.production.target()) as target:
            assert orphans.end(target, check.orphan) == ""
    assert look(site.production)["deploy.lock"].outcome is HELD


def test_only_the_orphan_that_was_shown_is_ended(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It turned out to be alive, or another role's: its session goes on, and keeps the lock."""
    monkeypatch.setattr(activity, "ORPHAN_SECONDS", 0.0)
    with (
        site.production.server.connect(site.production.database) as holder,
        closing(site.production.target()) as target,
    ):
        holder.execute("SELECT pg_advisory_lock(72707369)")
        shown = look(site.production)["deploy.lock"].orphan
        assert shown is not None
        holder.execute("SELECT 1")
        assert orphans.end(target, shown) == "it has ended, or done something, since it was looked at"
        now = look(site.production)["deploy.lock"].orphan
        assert now is not None
        assert (now.pid, now.mark) != (shown.pid, shown.mark)
        site.production.run(f"GRANT pg_read_all_stats TO {site.role}")
        site.as_role()
        with closing(site.production.target()) as weak:
            assert orphans.end(weak, now).startswith("the role may not end it")
        holder.execute("SELECT pg_advisory_unlock(72707369)")
        assert orphans.end(target, now) == "it has ended, or done something, since it was looked at"
        assert holder.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE n (id int)",
        "CREATE TYPE e AS ENUM ('a')",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE INDEX ON t (a)",
        "ALTER TABLE t ADD COLUMN b int",
    ],
)
def test_a_change_by_a_hidden_session(site: Site, statement: str) -> None:
    """Its locks give it away to a role that may not see what it does."""
    site.as_role()
    with site.production.server.connect(site.production.database) as deployer, deployer.transaction():
        deployer.execute(statement)
        assert look(site.production)["deploy.ddl"].outcome is REFUSED


def test_prisma_8(site: Site) -> None:
    """It keeps the history in a schema of its own; an old ledger beside it counts no more."""
    site.production.run("CREATE SCHEMA prisma_contract; CREATE TABLE prisma_contract.ledger (id bigserial PRIMARY KEY)")
    check = look(site.production)["ledger.present"]
    assert check.outcome is REFUSED
    assert "Prisma 8" in check.seen


def test_a_ledger_that_is_gone(site: Site) -> None:
    """The schema has to tell what was deployed; whoever is to mark it must own its tables."""
    site.production.run("DROP TABLE _prisma_migrations")
    found = look(site.production)
    assert (found["ledger.present"].outcome, found["target.privileges"].outcome) == (HELD, HELD)
    assert "the schema itself has to tell" in found["ledger.present"].seen


def test_a_ledger_of_another_kind(site: Site) -> None:
    """A table of that name with other columns is none."""
    site.production.run("ALTER TABLE _prisma_migrations DROP COLUMN logs, DROP COLUMN applied_steps_count")
    check = look(site.production)["ledger.present"]
    assert check.outcome is REFUSED
    assert "no column logs, applied_steps_count" in check.seen


def test_platforms_are_asked_side_by_side(site: Site) -> None:
    """None of the requests is answered before all of them are there."""
    site.platform.together = threading.Barrier(4)
    limits = Limits(answer=60.0, attempts=1)
    vercel = Vercel(lambda: site.platform.api(limits), "prj_1", None)
    endpoint = {"host": "127.0.0.1", "branch_id": "br-1", "type": "read_write"}
    site.platform.says("/projects/p-1/endpoints", Answer({"endpoints": [endpoint]}))
    site.platform.says("/projects/p-1/branches", Answer({"branches": [{"id": "br-1", "default": True}]}))
    site.platform.says("/v7/deployments", Answer({"deployments": []}))
    platforms = [
        partial(neon.branch_check, lambda: site.platform.api(limits), "p-1", site.production.target().url, None),
        vercel.deploy_check,
        partial(vercel.commit_check, SHA, demanded=False),
    ]
    checks = look(site.production, platforms=platforms)
    assert {checks[name].outcome for name in ("neon.branch", "vercel.deploy", "vercel.commit")} == {HELD}
    assert len(site.platform.asked) == 4


def test_what_the_settings_take_on(site: Site) -> None:
    """A check that could not be made is waived in every run, with the reason; one that refuses is not."""
    waived_by_settings = {"git.commit": "there is no git on the server", "git.clean": "neither"}
    without = {**waived_by_settings, "target.primary": "no"}
    assert (
        look(site.production, commit="nowhere", waived_by_settings=waived_by_settings)["git.commit"].outcome is REFUSED
    )
    without_git(site)
    checks = look(site.production, source="git", waived_by_settings=without)
    assert checks["git.commit"].outcome is Outcome.WAIVED
    assert checks["git.commit"].seen.endswith("; waived by prisma-recovery.toml: there is no git on the server")
    assert checks["target.primary"].outcome is HELD
