"""Looks at fleets on a real PostgreSQL: what each database is, with one replay for all that have one history."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from recovery.app.session import Options
from recovery.config import Config, Fleet
from recovery.errors import UsageError
from recovery.fleet.control import Control, RunPlan
from recovery.fleet.handing import Leader, Result, Seen, Stage, Work
from recovery.fleet.looking import Look, Looker, each_look, looking
from recovery.fleet.targets import FleetMember, Listed, read
from recovery.postgres.url import parse
from recovery.replay.lending import ScratchPool
from states.exit_codes import Exit
from states.fleet import Limits, Outcome, Status, Wave
from tests.acceptance.scene import eventually
from tests.staging import Server, fleet

HISTORY = fleet.history(12)
#: Names of the history's migrations.
NAMES = list(HISTORY)
Looked = Callable[..., tuple[dict[str, Look], Looker]]


@pytest.fixture(scope="module")
def pool() -> Iterator[ScratchPool]:
    """Scratch servers that all tests share, as all databases of a fleet do."""
    with contextlib.closing(ScratchPool()) as made:
        yield made


@pytest.fixture
def looked(tmp_path: Path, pool: ScratchPool) -> Looked:
    """Looks at databases by their URLs."""

    def look(scripts: dict[str, str], **urls: str) -> tuple[dict[str, Look], Looker]:
        folder = fleet.write(scripts, tmp_path / "migrations")
        members = [FleetMember(name, parse(url)) for name, url in urls.items()]
        with looking(tmp_path, Options(migrations=folder), {}, members, pool) as looker:
            return {each.name: each for each in each_look(looker, members, jobs=2)}, looker

    return look


@pytest.fixture
def made(server: Server) -> Iterator[Callable[[str, str | None], psycopg.Connection]]:
    """Makes databases, and connects to them; they are gone at the end."""
    names: list[str] = []
    with contextlib.ExitStack() as opened:

        def make(name: str, template: str | None = None) -> psycopg.Connection:
            server.create_database(name, template)
            names.append(name)
            return opened.enter_context(server.connect(name))

        yield make
    for name in names:
        server.drop_database(name)


def test_each_database_is_told_by_one_replay(
    server: Server, made: Callable[..., psycopg.Connection], looked: Looked
) -> None:
    """Healthy ones cost no replay of their own; drift is found against the common end, in columns and beside them."""
    with made("f_healthy") as one:
        fleet.deploy(one, HISTORY, NAMES)
    for name in ("f_pending", "f_column", "f_beside", "f_failed", "f_lost", "f_alike"):
        made(name, "f_healthy").close()
    changes = {
        "f_pending": f"DELETE FROM _prisma_migrations WHERE migration_name >= '{NAMES[-2]}';"
        ' DROP INDEX "Thing2_name_key"; ALTER TABLE "Thing2" DROP CONSTRAINT "Thing2_parentId_fkey"',
        "f_column": 'ALTER TABLE "Thing1" ALTER COLUMN "name" DROP DEFAULT',
        "f_alike": 'ALTER TABLE "Thing1" ALTER COLUMN "name" DROP DEFAULT',
        "f_beside": "ALTER TABLE \"Thing0\" ADD CHECK (name <> 'x'); CREATE TABLE theirs (id int);"
        " COMMENT ON TABLE \"Thing0\" IS 'a remark'",
        "f_lost": "TRUNCATE _prisma_migrations",
    }
    for name, change in changes.items():
        with server.connect(name) as connection:
            connection.execute(change.encode())
    with server.connect("f_failed") as connection:
        connection.execute(f"DELETE FROM _prisma_migrations WHERE migration_name = '{NAMES[-1]}'".encode())
        fleet.record(connection, NAMES[-1], HISTORY[NAMES[-1]], failed="it failed")
    urls = {name: server.url(name) for name in ("f_healthy", *changes, "f_failed")}
    urls |= {"again": server.url("f_healthy"), "f_gone": server.url("f_nowhere"), "f_empty": server.url("f_empty")}
    made("f_empty").close()
    found, looker = looked(HISTORY, **urls)
    assert {name: each.outcome for name, each in found.items()} == {
        "f_healthy": Outcome.HEALTHY,
        "again": Outcome.HEALTHY,
        "f_pending": Outcome.PENDING,
        "f_empty": Outcome.PENDING,
        "f_column": Outcome.DRIFT,
        "f_alike": Outcome.DRIFT,
        "f_beside": Outcome.DRIFT,
        "f_failed": Outcome.FAILED,
        "f_lost": Outcome.BASELINE,
        "f_gone": Outcome.UNREACHABLE,
    }
    assert found["f_column"].differences == (
        "table public.\"Thing1\" column name default: expected ''::text, is absent",
    )
    assert found["f_column"].differences == found["f_alike"].differences
    assert "check" in found["f_beside"].differences[0].lower()
    assert len(found["f_beside"].differences) == 1
    assert found["f_pending"].pending == tuple(NAMES[-2:])
    assert [(each.verdict, each.decision) for each in found["f_failed"].failed] == [("applied", "mark_applied")]
    assert found["again"].identity == found["f_healthy"].identity
    assert len({each.identity for each in found.values() if each.key}) == len(found) - 2
    assert looker.ends.replayed == 2  # the whole history, and that of the pending one
    assert looker.ends.closer <= 3  # of the two that drifted alike both may have been looked at at the same time


def test_schemas_of_one_database_share_a_replay(
    server: Server, made: Callable[..., psycopg.Connection], looked: Looked
) -> None:
    """Whatever they are called; a difference is told with the schema's own name, and a name as text is no schema."""
    text = 'CREATE TABLE note (body text DEFAULT \'odd "one".x, s_a.x\', kind "Kind0" DEFAULT \'NEW\', owner "Thing0");'
    scripts = {**HISTORY, "20990101000000_note": text}
    schemas = ("s_a", 'odd "one', "S_B")
    urls = {}
    with made("f_schemas") as connection:
        for number, schema in enumerate(schemas):
            connection.execute(psycopg.sql.SQL("CREATE SCHEMA {}").format(psycopg.sql.Identifier(schema)))
            fleet.deploy(connection, scripts, list(scripts), schema)
            urls[f"t{number}"] = f"{server.url('f_schemas')}?schema={quote(schema)}"
        connection.execute('ALTER TABLE "S_B"."Thing1" ALTER COLUMN kind SET DEFAULT \'DONE\'')
    found, looker = looked(scripts, **urls)
    assert [found[name].outcome for name in urls] == [Outcome.HEALTHY, Outcome.HEALTHY, Outcome.DRIFT]
    assert found["t2"].differences == (
        'table "S_B"."Thing1" column kind default: expected \'NEW\'::"S_B"."Kind1", is \'DONE\'::"S_B"."Kind1"',
    )
    assert looker.ends.replayed == 1
    assert looker.ends.closer == 2  # of the one that differs, and of the one whose name stands in a text


def test_a_script_that_tells_schemas_apart_is_replayed_in_each(
    server: Server, made: Callable[..., psycopg.Connection], looked: Looked
) -> None:
    """What it makes in a schema of one name, it need not make in another's."""
    text = "DO $$ BEGIN IF current_schema() = 's_one' THEN CREATE TABLE only_there (id int); END IF; END $$;"
    scripts = {"20990101000000_one": text}
    with made("f_apart") as connection:
        for schema in ("s_one", "s_two", "s_three"):
            connection.execute(f"CREATE SCHEMA {schema}".encode())
            fleet.deploy(connection, scripts, list(scripts), schema)
        connection.execute("DROP TABLE s_one.only_there")
    urls = {schema: f"{server.url('f_apart')}?schema={schema}" for schema in ("s_one", "s_two", "s_three")}
    found, _ = looked(scripts, **urls)
    assert [found[name].outcome for name in urls] == [Outcome.DRIFT, Outcome.HEALTHY, Outcome.HEALTHY]


def test_a_database_ahead_of_the_checkout_is_no_healthy_one(
    server: Server, made: Callable[..., psycopg.Connection], looked: Looked
) -> None:
    """What its ledger has and no script is found for may be anything, even where all that is found is there."""
    with made("f_ahead") as connection:
        fleet.deploy(connection, HISTORY, NAMES)
        fleet.record(connection, "20990101000000_unheard_of", "SELECT 1")
    found, _ = looked(HISTORY, f_ahead=server.url("f_ahead"))
    assert found["f_ahead"].outcome is Outcome.UNKNOWN
    assert "20990101000000_unheard_of" in found["f_ahead"].said


def test_no_password_is_shown(looked: Looked) -> None:
    """Neither where a database does not answer nor in the place of it."""
    found, _ = looked(HISTORY, gone="postgresql://u:hush@127.0.0.1:1/app?password=hush")
    assert found["gone"].outcome is Outcome.UNREACHABLE
    assert "127.0.0.1:1" in found["gone"].said
    assert "hush" not in repr(found)


def test_what_a_withdrawn_attempt_left_is_drift(
    server: Server, made: Callable[..., psycopg.Connection], looked: Looked
) -> None:
    """No finished migration makes it, so no comparison with their end alone would show it."""
    with made("f_left") as connection:
        fleet.deploy(connection, HISTORY, NAMES)
        fleet.record(connection, NAMES[-1], "CREATE TABLE left_over (id int);", failed="it failed")
        connection.execute("UPDATE _prisma_migrations SET rolled_back_at = now() WHERE logs IS NOT NULL")
        connection.execute("CREATE TABLE left_over (id int)")
    made("f_right", "f_left").close()
    with server.connect("f_right") as connection:
        connection.execute("DROP TABLE left_over")
    # The script of the attempt is found by its checksum under whatever name it is kept.
    scripts = {**HISTORY, "20990101000000_kept": "CREATE TABLE left_over (id int);"}
    found, _ = looked(scripts, f_left=server.url("f_left"), f_right=server.url("f_right"))
    assert [each.outcome for each in (found["f_left"], found["f_right"])] == [Outcome.DRIFT, Outcome.PENDING]
    assert "left_over" in found["f_left"].differences[0]


def test_a_query_lists_a_fleet(server: Server, made: Callable[..., psycopg.Connection], tmp_path: Path) -> None:
    """Each row is a database; columns of other names are labels. One that can't be asked is refused."""
    with made("f_tenants") as connection:
        connection.execute(
            "CREATE TABLE tenants (name text, schema text, tier text); INSERT INTO tenants VALUES"
            " ('acme', 's_acme', 'paid'), ('beta', NULL, NULL)"
        )

    def listed(query: str, url: str = "postgresql://u@h/d") -> Listed:
        config = Config(fleet=Fleet(query=query, url=url))
        return read(config, None, tmp_path, {"FLEET_QUERY_URL": server.url("f_tenants")})

    first, second = listed("SELECT * FROM tenants ORDER BY name").members
    assert (first.name, first.url.schema, dict(first.labels)) == ("acme", "s_acme", {"tier": "paid"})
    assert (second.name, second.url.schema, dict(second.labels)) == ("beta", "public", {})
    for wrong in (
        "SELECT * FROM nothing",
        "SELECT 1 AS a",
        "SELECT 1 AS name, 2 AS labels",
        "DELETE FROM tenants RETURNING name",
    ):
        with pytest.raises(UsageError) as caught:
            listed(wrong)
        assert caught.value.code == "fleet.query"
    with pytest.raises(UsageError, match="no targets"):
        listed("SELECT * FROM tenants WHERE false")


def test_a_control_database_that_cannot_be_used_is_refused(
    server: Server, made: Callable[..., psycopg.Connection]
) -> None:
    """A role that may make no schema there, and a pooler's URL, are said before anything begins."""
    with made("f_control") as connection:
        connection.execute("CREATE ROLE f_nobody LOGIN")
    with pytest.raises(UsageError) as caught:
        Control(parse(server.url("f_control").replace("postgres@", "f_nobody@").replace("postgres:@", "f_nobody:@")))
    assert caught.value.code == "fleet.control_refused"
    with server.connect() as connection:
        connection.execute("DROP ROLE f_nobody")


class Queue:
    """A `Handing` in memory."""

    def __init__(self) -> None:
        self.known: dict[str, Seen] = {}
        self.handed: list[str] = []
        self.taken_over: list[str] = []
        self.now = 0.0

    def hand_out(self, work: Work) -> None:
        """See `Handing`."""
        self.handed.append(work.id)
        self.known[work.id] = Seen(Stage.QUEUED)

    def seen(self, works: Sequence[Work]) -> dict[str, Seen]:
        """See `Handing`."""
        return {work.id: self.known[work.id] for work in works if work.id in self.known}

    def share(self, each: int) -> None:
        """See `Handing`."""

    def take_over(self, work: Work) -> None:
        """See `Handing`."""
        self.taken_over.append(work.id)
        self.known[work.id] = Seen(Stage.QUEUED)


def test_the_leader_hands_out_takes_in_and_takes_over(server: Server, made: Callable[..., psycopg.Connection]) -> None:
    """What a worker has that is gone for three seconds is queued again; what was busy rests; what got lost is not."""
    made("f_leader").close()
    url, queue = parse(server.url("f_leader")), Queue()
    with contextlib.closing(Control(url)) as control, contextlib.closing(Control(url)) as other:
        names = ("a", "b")
        stands = dict.fromkeys(names, Status.WAITING)
        found = dict.fromkeys(names, Outcome.PENDING)
        control.begin("r", RunPlan(Limits(at_once=1)), [Wave("rest", names)], found, stands, {})
        assert control.lead()
        assert not other.lead()
        leader = Leader(control, queue, lambda: queue.now)
        leader.tick()
        assert queue.handed == ["r/1/a"]
        queue.known["r/1/a"] = Seen(Stage.TAKEN, "gone")
        for queue.now in (10.0, 12.9):
            leader.tick()
            assert queue.taken_over == []
        other.live("alive", 7)
        queue.known["r/1/a"] = Seen(Stage.TAKEN, "alive")
        queue.now = 20.0
        leader.tick()
        assert queue.taken_over == []
        other.close()
        eventually(lambda: "alive" not in control.alive())  # its session takes a moment to end
        for queue.now in (30.0, 33.0):
            leader.tick()
        assert queue.taken_over == ["r/1/a"]
        queue.known.clear()  # as if the queue had lost it, or was never given it
        leader.tick()
        assert queue.handed == ["r/1/a", "r/1/a"]
        queue.known["r/1/a"] = Seen(Stage.ENDED, "x", Result(Exit.BUSY, code="lock.recovery", said="busy"))
        leader.tick()
        assert queue.handed[-1] == "r/1/b"  # a rests
        queue.known["r/1/b"] = Seen(Stage.ENDED, "x", Result(Exit.BLOCKED, "run", "classify.drifted", "why"))
        leader.tick()
        a, b = control.targets("r")
        assert (a.stands, a.passed, a.taken_over, a.resting) == (Status.WAITING, 1, 1, True)
        assert (b.stands, b.recovery, b.code, b.said) == (Status.PERSON, "run", "classify.drifted", "why")
        control.ask_to_stop("r")
        leader.tick()
        ended = control.run()
        assert ended is not None
        assert ended.ended
        assert ended.stop
