"""The report as Markdown, for an issue or an incident's channel; texts from elsewhere are escaped, in tables too."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from recovery.report import diagram, words
from recovery.report.postmortem import PostmortemNote, postmortem
from recovery.report.story import Finding, Story
from recovery.report.summary import cause, summary
from recovery.version import __version__
from states.plans import Repairs

#: Longest output or error, and longest statement or value, in characters; most rows of a table. An issue on GitHub
#: holds 65,536 characters; the HTML page has everything.
_TEXT, _SHORT, _ROWS = 1_500, 300, 40
#: Most statements of a plan that are shown; its script is printed by `repair --sql`.
_PLANNED = 10
#: Characters that are markup anywhere in a line: also an underscore at a word's edge, and the colon of an `:emoji:`.
_SPECIAL = re.compile(r"([\\`*\[\]<|~$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)|:(?=[a-z][\w+-]*:))")
#: Characters at the start of a line that would begin a list, a heading or a quotation.
_BEGIN = re.compile(r"\A(\d+(?=[.)](?:\s|\Z))|(?=[-+=#>]))(.)")
_RUNS = re.compile("`+")


def markdown(story: Story) -> str:
    """The whole report as Markdown."""
    parts = [
        *_head(story),
        *(_checks(story) if story.against() else ()),
        *_baseline(story.baseline),
        *(line for finding in story.findings for line in _evidence(finding, story)),
        *_rehearsed(story),
        *_commands(story),
        *_verification(story),
        *_ledger(story),
        *_restore_point(story),
        *_pipeline(story),
        *_postmortem(postmortem(story)),
        *_path(story),
        *(() if story.against() else _checks(story)),
        f"Made by prisma-recovery {_text(__version__)} from the journal alone.",
    ]
    return words.shown("\n\n".join(parts) + "\n")


def _text(value: object) -> str:
    """A text in one line, escaped: no markup, no link, no HTML, no mention of a user (@name)."""
    plain = " ".join(str(value).split())
    escaped = _BEGIN.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", plain))
    return escaped.replace("@", "@\u200b")


def _prose(text: str, code: Callable[[str], str] | None = None) -> str:
    """A sentence, escaped; text between backticks becomes code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return _text(text)
    # `_text` strips the spaces next to code, so they are put back.
    spaced = [f"{' ' * part.startswith(' ')}{_text(part)}{' ' * part.endswith(' ')}" for part in parts]
    shown = code or _code
    return "".join(shown(parts[n]) if n % 2 else part for n, part in enumerate(spaced)).strip()


def _code(value: object) -> str:
    """A text as code within a line."""
    plain = " ".join(str(value).split())
    if not plain:
        return ""
    fence = "`" * (max((len(run) for run in _RUNS.findall(plain)), default=0) + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


def _cell(value: object) -> str:
    """A text as code in a cell of a table. Even in code, a bar without a backslash would end the cell."""
    return _code(value).replace("|", "\\|")


def _cell_prose(text: str) -> str:
    """A sentence in a cell of a table; arguments as of `_prose`."""
    return _prose(text, _cell)


def _block(text: str, language: str = "text", *, whole: bool = False) -> str:
    """A block of code; of a long text only the end, unless `whole`."""
    kept = text if whole or len(text) <= _TEXT else f"… {text[-_TEXT:]}"
    fence = "`" * max(3, max((len(run) for run in _RUNS.findall(kept)), default=0) + 1)
    return f"{fence}{language}\n{kept.strip(chr(10))}\n{fence}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], most: int = _ROWS) -> Iterator[str]:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if len(lines) > most:  # the first and the last rows are worth more than those in the middle
        half = most // 2
        left_out = [f"({len(lines) - 2 * half} more)", *([""] * (len(head) - 1))]
        lines = [*lines[:half], f"| {' | '.join(left_out)} |", *lines[-half:]]
    if lines:
        yield "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines])


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _head(story: Story) -> Iterator[str]:
    said = summary(story)
    yield f"# Recovery {_text(story.run)}: {said.word}"
    yield _prose(said.sentence)
    yield f"**What to do:** {_prose(said.to_do)}"
    took = words.duration((story.ended - story.began).total_seconds())
    yield _bullets(
        [
            f"target: {_code(story.target)}",
            f"from {_text(words.moment(story.began))} to {_text(words.moment(story.ended))} ({_text(took)})",
            f"processes: {story.processes}",
        ]
    )


def _path(story: Story) -> Iterator[str]:
    yield "## The path, and when"
    way = [*(source for source, _ in story.moves), story.state]
    yield " → ".join(f"**{state}**" if n == len(way) else state for n, state in enumerate(way, 1))
    yield "<details><summary>The machine</summary>"
    yield _block(diagram.mermaid(story.trail), "mermaid", whole=True)
    yield "</details>"
    yield from _table(
        ("at (UTC)", "#", "what", "why", "took"),
        (
            (
                words.clock(entry.at),
                str(entry.number or ""),
                _text(entry.title),
                _cell_prose(entry.detail),
                _text(words.duration(entry.seconds)),
            )
            for entry in story.timeline
        ),
    )


def _checks(story: Story) -> Iterator[str]:
    if story.checks:
        yield "## Checks of preflight"
    yield from _table(
        ("check", "outcome", "seen", "what to do"),
        (
            (
                _cell(name),
                words.OUTCOMES[check["outcome"]],
                _cell_prose(check["seen"]),
                "" if check["outcome"] == "held" else _cell_prose(check.get("remedy", "")),
            )
            for name, check in story.checks.items()
        ),
    )


def _baseline(found: dict[str, Any]) -> Iterator[str]:
    if not found:
        return
    yield "## The history beside production"
    yield _bullets(map(_prose, found["reasons"]))
    if found.get("approval"):
        said = found["approval"]
        yield f"**A person decided:** production has it up to {_code(said['migration'])}. {_text(said['reason'])}"
    if found["lacking"]:
        yield "The ledger lacks:"
        yield _bullets(map(_code, found["lacking"]))
    yield from _table(
        ("migration", "#", "statement", "what no schema shows"),
        (
            (
                _cell(each["migration"]),
                str(each["statement"] or ""),
                _cell(_short(each["sql"])),
                _cell_prose(each["why"]),
            )
            for each in found["open"]
        ),
    )
    yield from _differences(found["differences"])
    yield f"Evidence {_code(found['evidence_digest'])}"


def _rehearsed(story: Story) -> Iterator[str]:
    if story.rehearsals:
        yield "## What the deploy does to tables"
        yield from _table(
            ("migration", "in production"),
            ((_cell(each.migration), _cell_prose(line)) for each in story.rehearsals for line in words.rehearsed(each)),
        )


def _evidence(finding: Finding, story: Story) -> Iterator[str]:
    found = finding.evidence
    # What was found before a repair is told briefly: the page has everything.
    most = _ROWS if story.latest[finding.migration] is finding else _PLANNED
    yield f"## {_text(finding.migration)} {_text(words.verdict_then(finding.verdict))}"
    yield _bullets(map(_prose, finding.reasons))
    why = cause(found.get("cause", {}))
    failed = f" It failed for: {_text(why)}." if why else ""
    yield f"Verdict {_code(finding.verdict)}, decision {_code(finding.decision)}.{failed}"
    if finding.approval:
        decision = finding.approval["decision"].replace("_", " ")
        yield f"**A person decided:** {_text(decision)}. {_text(finding.approval['reason'])}"
    yield from _table(
        ("#", "state", "statement", "shown by"),
        (
            (str(s["index"]), words.STATEMENTS[s["state"]], _cell(_short(s["sql"])), _cell_prose(_short(s["proof"])))
            for s in found.get("statements", ())
        ),
        most,
    )
    yield from _differences(found.get("differences", ()), most)
    for obstacle in found.get("obstacles", ()):
        again = " again" if finding.attempted else ""
        yield f"**It would fail{again}:** statement {obstacle['statement']}: {_text(obstacle['fact'])}"
        yield _block(obstacle["query"], "sql")
    yield from _plans(msgspec.convert(found.get("repair", {}), Repairs))
    if found.get("logs"):
        yield "What Prisma recorded of the failure:"
        yield _block(found["logs"])
    yield f"Evidence {_code(finding.digest)}"


def _plans(repairs: Repairs) -> Iterator[str]:
    for plan in repairs.plans:
        yield f"**A plan to {plan.way} it:** {_text(plan.proof)}. Plan {_code(plan.digest)}"
        yield from _table(
            ("statement", "what it does"),
            ((_cell(_short(s.sql)), _cell_prose(_short(words.planned(s)))) for s in plan.statements),
            _PLANNED,
        )
        for obstacle in plan.obstacles:
            yield f"**It would fail:** {_text(obstacle.fact)}"
            yield _block(obstacle.query, "sql")
    if repairs.unplanned:
        yield _bullets(map(_prose, repairs.unplanned))


def _short(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[:_SHORT]} …"


def _differences(differences: Iterable[dict[str, Any]], most: int = _ROWS) -> Iterator[str]:
    yield from _table(
        ("object", "property", "expected", "actual"),
        (
            (
                _cell(_short(each["object"])),
                _cell(_short(each["property"])),
                _side(each["expected"], each["property"]),
                _side(each["actual"], each["property"]),
            )
            for each in differences
        ),
        most,
    )


def _side(value: str | None, prop: str) -> str:
    shown = words.differing(value, prop)
    return _cell(_short(shown)) if shown == value else shown


def _commands(story: Story) -> Iterator[str]:
    if story.commands:
        yield "## Commands"
    for command in story.commands:
        note = f": {command.note}" if command.note else ""
        took = f", {words.duration(command.seconds)}" if command.seconds is not None else ""
        code = f", exit code {command.exit_code}" if command.exit_code is not None else ""
        yield f"{_code(command.text)}: {_text(f'{command.ended}{note}{took}{code}')}"
        if command.output.strip():
            yield _block(command.output)


def _verification(story: Story) -> Iterator[str]:
    if not story.compared:
        return
    yield "## Verification"
    if story.compared["proven"]:
        yield "Every object and column is the same as in the replay of all finished migrations:"
        yield _bullets(map(_code, story.compared["proven"]))
    for reason in story.compared["unprovable"]:
        yield f"Not provable: {_text(reason)}"
    for each in (*story.compared["differing"], *story.compared["elsewhere"]):
        yield f"**{_text(each['migration'])}**"
        yield from _differences(each["differences"])
        if each.get("more"):
            yield f"and {each['more']} more"


def _ledger(story: Story) -> Iterator[str]:
    if story.rows():
        yield "## The ledger, before and after"
    yield from _table(
        ("migration", "before", "after"),
        (
            (_cell((before or after or {})["migration"]), _text(words.row(before)), _text(words.row(after)))
            for before, after in story.rows()
        ),
    )


def _restore_point(story: Story) -> Iterator[str]:
    yield "## Restore point"
    made = story.restore_point
    if not made:
        changed = story.record.changed
        yield "None: it was not asked for (`--restore-point`)." if changed else "None: nothing was changed."
        return
    yield f"{_text(made['kind'])}: {_code(made['place'])}, the state at {_text(made['time'])}, LSN {_code(made['lsn'])}"
    if story.record.back:
        yield f"**How to go back to it:** {_prose(story.record.back)}"


def _pipeline(story: Story) -> Iterator[str]:
    if not story.steps and not story.record.pipeline:
        return
    yield "## Pipeline"
    if not story.steps:
        yield "No step was begun."
    yield from _table(
        ("step", "command", "outcome", "took"),
        (
            (
                _text(step.name),
                _cell(step.text),
                "done, as a person said"
                if step.by_hand
                else "how it ended is not recorded"
                if step.exit_code is None
                else f"exit code {step.exit_code}",
                _text(words.duration(step.seconds)),
            )
            for step in story.steps
        ),
    )


def _postmortem(notes: Sequence[PostmortemNote]) -> Iterator[str]:
    if notes:
        yield "## Postmortem note"
        yield "Made from traces in PostgreSQL's catalog, which are indications and no proof."
    for note in notes:
        yield f"### {_text(note.migration)}"
        yield f"**How it likely happened** ({words.CERTAINTY[note.certainty]})"
        yield from map(_prose, note.sentences)
        yield from _table(
            ("object", "written", "owner", "transaction", "likely by", "certainty"),
            (
                (
                    _cell(trace["object"]),
                    words.ORDER[trace["order"]],
                    _cell(trace["owner"]),
                    str(trace["transaction"]),
                    words.BY[trace["by"]],
                    f"{words.CERTAINTY[trace['certainty']]}: {_text(trace['why'])}",
                )
                for trace in note.traces
            ),
        )
        yield "**What prevents it**"
        yield _bullets(map(_prose, note.prevents))
