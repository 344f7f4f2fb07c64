"""The summary at the head of a report: what happened, where the run stands, and what to do."""

from dataclasses import dataclass

from recovery.report import words
from recovery.report.story import Finding, Story
from recovery.report.to_do import to_do
from states.table import State


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary of a run.

    Attributes:
        word: ready, blocked, aborted or unfinished.
        sentence: what happened, and where the run stands.
        to_do: what to do now.
    """

    word: str
    sentence: str
    to_do: str


def summary(story: Story) -> Summary:
    """The summary of a run, from its story."""
    parts = [_found(finding, story) for finding in story.latest.values()]
    if story.baseline:
        parts = [*(reason.removesuffix(".") for reason in story.baseline["reasons"][:1]), *_marked(story), *parts]
    if not parts:
        names = dict.fromkeys(failure["migration"] for failure in story.failures)
        parts = [f"{name} failed" for name in names] or (["no migration had failed"] if story.history else [])
    parts += _done(story)
    word, stands = _standing(story)
    sentence = _joined([*parts, stands])
    return Summary(word, f"{sentence[0].upper()}{sentence[1:]}.", to_do(story.record))


def cause(found: dict[str, object]) -> str:
    """The cause of a failure, for people, such as `object exists, 42P07`; empty if it is unknown."""
    kind = str(found.get("kind", "unknown"))
    if kind == "unknown":
        return ""
    return kind.replace("_", " ") + (f", {found['sqlstate']}" if found.get("sqlstate") else "")


def _found(finding: Finding, story: Story) -> str:
    why = cause(finding.evidence.get("cause", {}))
    first = f"{finding.migration} failed{f' ({why})' if why else ''}" if finding.attempted else finding.migration
    joint = " and " if finding.attempted else ", never attempted, "
    marked = {
        "mark_applied": "was marked applied",
        "mark_rolled_back": "was marked rolled back",
    }
    effect = story.record.resolved.get(finding.migration, "").partition(":")[0]
    after = f"; it {marked[effect]}" if effect in marked else ""
    repaired = [c.effect.partition(":") for c in story.commands if c.outcome == "shown"]
    ways = [words.REPAIRED[way] for way, _, name in repaired if way in words.REPAIRED and name == finding.migration]
    joint = f" and, after a plan of repair {ways[-1]} it, " if ways else joint
    by = " by a person's approval" if after and finding.approval else ""
    return f"{first}{joint}{words.verdict_then(finding.verdict)}{after}{by}"


def _marked(story: Story) -> list[str]:
    lacking = set(story.baseline["lacking"])
    count = sum(name in lacking for name in story.record.resolved)
    return [f"{count} {'migration was' if count == 1 else 'migrations were'} marked applied"] if count else []


def _done(story: Story) -> list[str]:
    deployed = len(story.record.planned)
    done = [f"{deployed} {'migration was' if deployed == 1 else 'migrations were'} deployed"] if deployed else []
    compared = story.compared
    if compared and not compared["differing"] and not compared["unprovable"] and story.state is State.PIPELINE_READY:
        done.append("the schema was proven to be what the history says")
    return done


def _standing(story: Story) -> tuple[str, str]:
    """The word for where the run stands, and the same as a clause."""
    if story.state is State.PIPELINE_READY:
        left = next((step for step in reversed(story.steps) if step.exit_code != 0), None)
        later = {step.name for step in story.steps if step.exit_code == 0}
        if left is not None and left.name not in later:
            return "ready", f"the gate is open, and the step {left.name} of the pipeline did not succeed"
        return "ready", "the gate is open"
    if story.state is State.ABORTED:
        changed = "its changes stay in the database" if story.record.changed else "nothing was changed"
        return "aborted", f"the recovery was given up, {changed}"
    if story.refusal:
        changed = "" if story.record.changed else ", nothing was changed"
        code = f" ({story.refusal['code']})"
        return "blocked", f"the recovery is blocked in {story.moves[-1][0]}{code}{changed}"
    in_doubt = ", and how its last command ended is not recorded" if story.record.in_doubt else ""
    return "unfinished", f"the recovery stands at {story.state}{in_doubt}"


def _joined(parts: list[str]) -> str:
    return "; ".join(parts)
