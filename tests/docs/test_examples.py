"""The worked examples in docs/explanation/examples.md, staged on a real server and judged by the real command.

Each `###` of the page is one example, in a database of its own. Its fenced blocks say by their info strings what is
done with them, in this order:

    sql history      a migration that was deployed before; at the top of the page, for all examples
    sql rows         what was written into its tables; there too
    sql script       the script that failed; once a section (`##`), for all its examples
    sql before       run on production before the attempt
    sql during       run after the attempt's row was written to the ledger; `sql during, fails` must be refused
    text logs        written into that row then, and what PostgreSQL said if it refused; without it, `logs` are NULL
    sql after        run after that
    console          the command, and what it prints in a terminal of 110 columns; `…` stands for anything

A block of SQL is one query, so one transaction. `-- The whole script.` stands for the script. Behind the console block
stands the decision: `**Decision: `mark_applied`.**`
"""

import hashlib
import json
import os
import pty
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.staging import Server, start, warm
from tests.staging.failures import LEDGER

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "examples.md"
PART = re.compile(r"^(##+) (.*)$|^```(.*)\n((?s:.*?))^```$|^\*\*Decision: `(\w+)`\.\*\*", re.MULTILINE)
#: What may stand in an example, in this order.
ORDER = ("sql before", "sql during", "sql during, fails", "text logs", "sql after", "console")
COMMON = ("sql history", "sql rows")
LOGS = "Database error code: {code}\n\nDatabase error:\nERROR: {said}\n"
WHOLE = "-- The whole script."
COLUMNS = "110"
STYLE = re.compile("\x1b\\[[0-9;]*m")
FAILED = "20260110_failed"
ROW = """
INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)
VALUES (gen_random_uuid(), %s, %s, %s, %s)
"""
SCHEMA = 'datasource db {\n  provider = "postgresql"\n  url = env("DATABASE_URL")\n}\n'

Block = tuple[str, str]
_databases = count(1)


@dataclass(frozen=True)
class Example:
    """One example: the blocks that hold for it, and the decision that the page names."""

    section: str
    name: str
    blocks: tuple[Block, ...]
    decision: str

    def all(self, info: str) -> list[str]:
        """The texts of its blocks of that kind."""
        return [text for kind, text in self.blocks if kind == info]

    def one(self, info: str) -> str:
        """The text of its only block of that kind."""
        (text,) = self.all(info)
        return text


def examples() -> list[Example]:
    """All examples of the page, as they stand there."""
    found: list[Example] = []
    common: list[Block] = []
    shared: list[Block] = []
    section = ""
    for level, title, info, text, decision in PART.findall(PAGE.read_text()):
        if level == "##":
            section, shared = title, []
        elif level:
            found.append(Example(section, title, (*common, *shared), ""))
        elif decision:
            last = found[-1]
            assert not last.decision, f"{last.name}: two decisions"
            found[-1] = Example(last.section, last.name, last.blocks, decision)
        elif not section:
            assert info in COMMON, f"a block that is not staged: {info}"
            common.append((info, text))
        elif info == "sql script":
            assert not found or found[-1].section != section, f"{section}: its script stands behind an example"
            shared.append((info, text))
        else:
            last = found[-1]
            assert last.section == section, f"{section}: a block that belongs to no example"
            assert info in ORDER, f"{last.name}: a block that is not staged: {info}"
            found[-1] = Example(last.section, last.name, (*last.blocks, (info, text)), last.decision)
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One server for all examples."""
    with start() as running:
        yield running


def migration(project: Path, name: str, script: str) -> str:
    """Writes a migration into the project; its checksum."""
    file = project / "prisma" / "migrations" / name / "migration.sql"
    file.parent.mkdir(parents=True)
    file.write_text(script)
    return hashlib.sha256(script.encode()).hexdigest()


def run(server: Server, database: str, script: str) -> None:
    """Runs a block, in a session that ends at once."""
    with server.connect(database) as connection:
        connection.execute(script.encode())


def staged(example: Example, server: Server, project: Path) -> str:
    """Production as the example has it; the name of its database."""
    database = f"example_{next(_databases)}"
    server.create_database(database)
    script = example.one("sql script")
    run(server, database, LEDGER)
    for number, history in enumerate(example.all("sql history"), 1):
        run(server, database, history)
        name = f"2026010{number}_deployed"
        with server.connect(database) as connection:
            connection.execute(ROW, (migration(project, name, history), name, "now", 1))
    for text in (*example.all("sql rows"), *example.all("sql before")):
        run(server, database, text)
    with server.connect(database) as connection:
        connection.execute(ROW, (migration(project, FAILED, script), FAILED, None, 0))
    for info, text in example.blocks:
        whole = script if text.strip() == WHOLE else text
        if info == "sql during, fails":
            with pytest.raises(psycopg.Error) as refused:
                run(server, database, whole)
            error = refused.value.diag
            logs = LOGS.format(code=error.sqlstate, said=error.message_primary)
            assert example.all("text logs") in ([logs], []), f"what PostgreSQL said is\n{logs}"
        elif info in ("sql during", "sql after"):
            run(server, database, whole)
        elif info == "text logs":
            with server.connect(database) as connection:
                connection.execute("UPDATE _prisma_migrations SET logs = %s WHERE finished_at IS NULL", [text])
    return database


def printed(command: list[str], project: Path, url: str) -> tuple[str, list[dict[str, Any]]]:
    """What a command prints in a terminal, without its styles; and the log that it writes beside it."""
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PRISMA_RECOVERY")}
    environment |= {"DATABASE_URL": url, "COLUMNS": COLUMNS, "TERM": "xterm"}
    assert command[0] == "prisma-recovery"
    arguments = [*command[1:], "--log-format", "json"]
    with Path(os.devnull).open() as nothing, os.fdopen(os.memfd_create("log"), "rb") as log:
        descriptors = (nothing.fileno(), theirs, log.fileno())
        process = warm.nursery().start(arguments, cwd=project, env=environment, descriptors=descriptors)
        os.close(theirs)
        said = b""
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            try:
                while part := terminal.read(65536):
                    said += part
            except OSError:  # how Linux says that nobody has the other end open any more
                pass
        code = process.wait(timeout=60)
        logged = os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0).decode()
    assert code == 0, said.decode() + logged
    shown = "".join(f"{line.rstrip()}\n" for line in STYLE.sub("", said.decode()).splitlines())
    return shown, [json.loads(line) for line in logged.splitlines()]


def pattern(shown: str) -> re.Pattern[str]:
    """What a console block stands for: `…` alone for any lines, within a line for any part of it."""
    lines = []
    for line in shown.splitlines():
        parts = (re.escape(part) for part in line.rstrip().split("…"))
        lines.append("(?:.*\n)*?" if line.strip() == "…" else ".*".join(parts) + "\n")
    return re.compile("".join(lines))


@pytest.mark.parametrize("example", examples(), ids=lambda example: f"{example.section}: {example.name}")
def test_an_example_ends_as_the_page_says(example: Example, server: Server, tmp_path: Path) -> None:
    """Staged as it is told, the command prints what the page shows, and the decision is the page's."""
    (tmp_path / "prisma").mkdir()
    (tmp_path / "prisma" / "schema.prisma").write_text(SCHEMA)
    url = server.url(staged(example, server, tmp_path))
    command, _, shown = example.one("console").partition("\n")
    said, logged = printed(command.removeprefix("$ ").split(), tmp_path, url)
    assert pattern(shown).fullmatch(said), f"the page shows\n{shown}\nand the command prints\n{said}"
    found = [each["evidence"] for each in logged if each["event"] == "prisma_recovery.evidence.found"]
    assert [each["decision"] for each in found] == [example.decision]


def test_every_example_is_whole() -> None:
    """Seven kinds of statements, each with a near miss that has another verdict, and nothing left untested."""
    found = examples()
    sections = list(dict.fromkeys(example.section for example in found))
    assert len(sections) == 7
    for example in found:
        kinds = [info for info, _ in example.blocks if info in ORDER]
        assert kinds == sorted(kinds, key=ORDER.index), f"{example.name}: not in the order of what happens"
        assert example.decision, f"{example.name}: no decision"
        assert example.one("sql script")
    for section in sections:
        verdicts = {re.findall(rf"{FAILED} .+", e.one("console"))[0] for e in found if e.section == section}
        assert len(verdicts) > 1, f"{section}: no near miss"
    fences = re.findall(r"^```(.+)$", PAGE.read_text(), re.MULTILINE)
    shared = [info for info in fences if info in (*COMMON, "sql script")]
    assert len(fences) == len(shared) + sum(info in ORDER for example in found for info, _ in example.blocks)
