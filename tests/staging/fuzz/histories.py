"""Draws histories of one to four migrations, and the rows that production has after them."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.staging.fuzz.shape import Shape

#: Some migrations' statements, and what only production has.
Part = tuple[list[str], list[str]]


@dataclass(frozen=True)
class History:
    """A history, its production, and what statements can be drawn for.

    Attributes:
        migrations: the statements of each migration.
        rows: statements that only production ran.
    """

    migrations: tuple[tuple[str, ...], ...]
    rows: tuple[str, ...]
    shape: Shape


def _main(shape: Shape) -> Part:
    name = shape.main = shape.draw.choice(["users", "accounts", "members"])
    shape.tables[name] = {"id": "int", "email": "text", "a": "text", "b": "text", "credits": "int"}
    made = (
        f"CREATE TABLE {name} (id int PRIMARY KEY, email text, a text, b text, credits int NOT NULL DEFAULT 0)"
        if shape.chance(0.5)
        else f'CREATE TABLE "{name}" (\n    "id" INTEGER NOT NULL,\n    "email" TEXT,\n    "a" TEXT,\n    "b" TEXT,\n'
        f'    "credits" INTEGER NOT NULL DEFAULT 0,\n\n    CONSTRAINT "{name}_pkey" PRIMARY KEY ("id")\n)'
    )
    email = shape.draw.choice(["'e' || i", "'e' || i", "'e' || i % 3", "'e' || i / 2"])
    count = shape.draw.choice([0, 1, 4, 4, 4])
    filled = f"INSERT INTO {name} SELECT i, {email}, 'a' || i, 'b' || i, 10 FROM generate_series(1, {count}) i"
    return [made], [filled] if count else []


def _orders(shape: Shape) -> Part:
    name = shape.draw.choice(["orders", "posts"])
    shape.tables[name] = {"id": "int", "owner": "int", "note": "text", "total": "int"}
    key, index = f"{name}_owner_fkey", f"{name}_owner_idx"
    shape.keys[key], shape.indexes[index] = name, (name, "owner")
    return [
        f"CREATE TABLE {name} (id int PRIMARY KEY, owner int, note text, total int)",
        f'CREATE INDEX "{index}" ON {name} (owner)',
        f'ALTER TABLE {name} ADD CONSTRAINT "{key}" FOREIGN KEY (owner) REFERENCES {shape.main} (id) ON DELETE CASCADE',
    ], [f"INSERT INTO {name} SELECT id, id, 'n; ' || id, id * 7 FROM {shape.main}"]


def _enum(shape: Shape) -> Part:
    name = shape.draw.choice(["status", "role"])
    table = f"{name}_of"
    shape.tables[table] = {"id": "int", "kind": name, "n": "int"}
    shape.enums[name] = (["NEW", "DONE"], table, "kind")
    return [
        f"CREATE TYPE {name} AS ENUM ('NEW', 'DONE')",
        f"CREATE TABLE {table} (id int PRIMARY KEY, kind {name} NOT NULL DEFAULT 'NEW', n int)",
    ], [f"INSERT INTO {table} VALUES (1, 'NEW', 5), (2, 'DONE', 6)"]


def _sequence(shape: Shape) -> Part:
    name = shape.fresh("numbers")
    shape.sequences.append(name)
    return [f"CREATE SEQUENCE {name}"], [f"SELECT nextval('{name}'), nextval('{name}'), nextval('{name}')"]


def _serial(shape: Shape) -> Part:
    shape.tables["labels"] = {"id": "serial", "name": "text"}
    shape.sequences.append("labels_id_seq")
    return ["CREATE TABLE labels (id serial PRIMARY KEY, name text)"], ["INSERT INTO labels (name) VALUES ('x')"]


def _view(shape: Shape) -> Part:
    shape.views.append("recent")
    return [f"CREATE VIEW recent AS SELECT id, credits FROM {shape.main} WHERE id > 1"], []


def _snapshot(shape: Shape) -> Part:
    shape.snapshots.append("stats")
    empty = shape.draw.choice(["", " WITH NO DATA"])
    made = f"CREATE MATERIALIZED VIEW stats AS SELECT count(*) AS n, sum(credits) AS s FROM {shape.main}{empty}"
    refresh = ["REFRESH MATERIALIZED VIEW stats"] if shape.chance(0.6) else []
    stale = [f"INSERT INTO {shape.main} VALUES (91, 'e91', 'a91', 'b91', 3)"]
    return [made], [*refresh, *(stale if shape.chance(0.5) else [])]


def _domain(shape: Shape) -> Part:
    shape.domains.append("qty")
    return ["CREATE DOMAIN qty AS int DEFAULT 7"], []


def _dated(shape: Shape) -> Part:
    shape.tables["ev"] = {"id": "int", "d": "date", "ts": "timestamp"}
    shape.dated.append("ev")
    return ["CREATE TABLE ev (id int NOT NULL, d date NOT NULL, ts timestamp)"], [
        "INSERT INTO ev VALUES (1, '2024-05-06', '2024-05-06 07:08:09'), (2, '2025-01-01', '2025-01-01 01:02:03')"
    ]


def _partitioned(shape: Shape) -> Part:
    shape.tables["logs"] = {"id": "int", "d": "date", "t": "text"}
    shape.parents.append("logs")
    bounds = "FOR VALUES FROM ('2020-01-01') TO ('2030-01-01')"
    return [
        "CREATE TABLE logs (id int NOT NULL, d date NOT NULL, t text) PARTITION BY RANGE (d)",
        f"CREATE TABLE logs_old PARTITION OF logs {bounds}",
    ], ["INSERT INTO logs VALUES (1, '2024-05-06', 'x'), (2, '2025-01-01', NULL)"]


def _writer(shape: Shape) -> Part:
    name, call = shape.draw.choice([("version", "version(2)"), ("bump", "bump(3)")])
    shape.calls.append(call)
    body = f"$$ UPDATE {shape.main} SET credits = credits + n; SELECT n $$"
    return [f"CREATE FUNCTION {name}(n int) RETURNS int LANGUAGE sql AS {body}"], []


def _trigger(shape: Shape) -> Part:
    shape.tables["audit"] = {"id": "int", "said": "text"}
    shape.triggers.append(shape.main)
    body = "$$ BEGIN INSERT INTO audit VALUES (NEW.id, 'seen; ' || TG_OP); RETURN NEW; END $$"
    return [
        "CREATE TABLE audit (id int, said text)",
        f"CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS {body}",
        f"CREATE TRIGGER noted AFTER UPDATE ON {shape.main} FOR EACH ROW EXECUTE FUNCTION noted()",
    ], []


def _tokens(shape: Shape) -> Part:
    shape.tables["tok"] = {"id": "int", "hash": "text", "digest": "varchar(10)", "c": "text C"}
    return ['CREATE TABLE tok (id int PRIMARY KEY, hash text, digest varchar(10), c text COLLATE "C")'], [
        "INSERT INTO tok VALUES (1, 'h1', 'd1', 'x'), (2, 'h2', 'd2', 'Y')"
    ]


def _deferred(shape: Shape) -> Part:
    shape.tables["child"] = {"id": "int", "pid": "int"}
    shape.sequences.append("inv")
    return [
        "CREATE SEQUENCE inv",
        "CREATE TABLE parent (id int PRIMARY KEY)",
        "CREATE TABLE child (id int PRIMARY KEY, pid int REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)",
    ], ["INSERT INTO parent VALUES (1), (2)", "INSERT INTO child VALUES (1, 1)"]


_PARTS: tuple[Callable[[Shape], Part], ...] = (
    _orders,
    _enum,
    _sequence,
    _serial,
    _view,
    _snapshot,
    _domain,
    _dated,
    _partitioned,
    _writer,
    _trigger,
    _tokens,
    _deferred,
)


def _by_hand(shape: Shape) -> list[str]:
    """What somebody made in production only, before the first attempt."""
    if shape.chance(0.1):
        shape.extras.append("legacy")
        return ["CREATE TABLE legacy (x int)", "INSERT INTO legacy VALUES (1)"]
    if shape.chance(0.15):
        shape.extras.append("legacy_flag")
        return [f"ALTER TABLE {shape.main} ADD COLUMN legacy_flag int"]
    return []


def draw_history(draw: random.Random) -> History:
    """A history of one to four migrations, with two to six parts besides the main table."""
    shape = Shape(draw)
    migrations: list[list[str]] = [[] for _ in range(draw.randint(1, 4))]
    made, rows = _main(shape)
    migrations[0] += made
    for part in draw.sample(_PARTS, draw.randint(2, 6)):
        made, filled = part(shape)
        draw.choice(migrations[: max(1, len(migrations))]).extend(made)
        rows += filled
    for number, migration in enumerate(migrations):
        if not migration:
            migration.append(f"CREATE TABLE other{number} (id int PRIMARY KEY)")
    rows += _by_hand(shape)
    return History(tuple(map(tuple, migrations)), tuple(rows), shape)
