"""Hypothesis strategies for every record of facts, and short hand-made records for examples."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import strategies as st

from states.approval import Approval
from states.baseline import Baseline
from states.baseline_answers import BaselineFacts
from states.classification import ClassifyFacts
from states.comparison import Difference
from states.deployment import DeployFacts, Failure
from states.effects import MarkApplied, MarkRolledBack
from states.evidence import Decision, Evidence, Progress, Verdict
from states.facts import (
    Cause,
    Check,
    History,
    Key,
    Note,
    Obstacle,
    Outcome,
    Replay,
    Row,
    Statement,
    Subject,
    Visibility,
)
from states.inspection import InspectFacts
from states.plans import Loss, Plan, PlannedStatement, Repairs, Way
from states.preflight import PreflightFacts
from states.resolution import ResolveFacts
from states.table import State
from states.verdict import judge
from states.verification import MigrationDifference, VerifyFacts

NAMES = ("m1", "m2", "m3")
UNKNOWN = Cause(None, "unknown", transient=False)
TARGET = ("7", "app", "public")

names = st.sampled_from(NAMES)
some_names = st.lists(names, unique=True, max_size=3).map(tuple)
words = st.sampled_from(("", "said", "something else"))
causes = st.sampled_from(
    (UNKNOWN, Cause("42P07", "object_exists", transient=False), Cause("40P01", "deadlock", transient=True))
)
checksums = st.sampled_from(("a", "b", "c"))

checks = st.builds(
    Check,
    name=st.sampled_from(("target.identity", "deploy.running", "project.url")),
    outcome=st.sampled_from(Outcome),
    seen=st.just("what was seen"),
    source=st.just("where"),
    remedy=st.sampled_from(("", "what to do")),
    busy=st.booleans(),
)
preflight_facts = st.builds(PreflightFacts, checks=st.lists(checks, max_size=4).map(tuple))


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Ledger and folder as they can be: a failed name is unfinished, or pending with a rolled-back row."""
    place = {name: draw(st.sampled_from(("applied", "unfinished", "in question", "pending", "none"))) for name in NAMES}
    applied, unfinished, question, pending = (
        tuple(name for name in NAMES if place[name] == each)
        for each in ("applied", "unfinished", "in question", "pending")
    )
    folder = tuple(sorted((*question, *pending)))
    return History(
        applied=applied,
        failed=(*unfinished, *question),
        pending=folder,
        modified=draw(st.sampled_from(((), applied))),
        missing_locally=draw(st.sampled_from(((), unfinished[:1]))),
    )


rows = st.builds(
    Row,
    id=st.sampled_from(("1", "2", "3")),
    migration=st.just("m1"),
    checksum=checksums,
    started_at=st.sampled_from(("2026-01-01", "2026-01-02")),
    finished_at=st.none() | st.just("2026-01-03"),
    rolled_back_at=st.none() | st.just("2026-01-04"),
    applied_steps_count=st.integers(0, 2),
    logs=st.none() | st.just("ERROR"),
)

#: Properties of two tables, an index and a column: few, so that steps and production meet often.
KEYS: tuple[Key, ...] = (
    ("table public.x", "exists"),
    ("table public.x", "column a"),
    ("table public.x", "column a type"),
    ("table public.x", "constraint x_pkey"),
    ("index public.i", "exists"),
    ("index public.i", "unique"),
    ("index public.i", "table"),
    ("table public.y", "exists"),
    ("table public.y", "column b"),
)


def _real(snapshot: dict[Key, str]) -> dict[Key, str]:
    """Only an object that exists has properties, and only a column that exists has a type."""
    there = {obj for obj, prop in snapshot if prop == "exists"}
    real = {key: value for key, value in snapshot.items() if key[0] in there}
    if KEYS[1] not in real:
        real.pop(KEYS[2], None)
    return real


snapshots = st.dictionaries(
    st.sampled_from(KEYS), st.sampled_from(("exists", "yes", "text", "public.x")), max_size=6
).map(_real)


@st.composite
def replays(draw: st.DrawFn, checksum: st.SearchStrategy[str] = checksums) -> Replay:
    """A replay that keeps the promises of its record: the footprint holds what differs between steps."""
    total = draw(st.integers(1, 3))
    reached = draw(st.sampled_from((total, total, total, draw(st.integers(0, total)))))
    steps = [draw(snapshots)]
    statements = []
    for index in range(1, total + 1):
        if index > reached:
            statements.append(Statement(index, f"SQL {index}", Visibility.UNREACHED, "not reached"))
            continue
        step = draw(st.just(steps[-1]) | snapshots)
        seen = step != steps[-1]
        kinds = [Visibility.SEEN, Visibility.SEEN, Visibility.OPEN] if seen else [Visibility.OPEN, Visibility.INERT]
        statements.append(Statement(index, f"SQL {index}", draw(st.sampled_from(kinds)), "why"))
        steps.append(step)
    changed = {key for step in steps for key in KEYS if step.get(key) != steps[0].get(key)}
    footprint = frozenset(changed | draw(st.sets(st.sampled_from(KEYS), max_size=3)))
    first = {obj for obj, prop in steps[0] if prop == "exists"}
    return Replay(
        checksum=draw(checksum),
        statements=tuple(statements),
        steps=tuple({key: step[key] for key in footprint if key in step} for step in steps),
        footprint=footprint,
        created=frozenset({obj for step in steps for obj, prop in step if prop == "exists"} - first),
        named=draw(st.sampled_from((frozenset(), frozenset({"public.y"})))),
        ended=None if reached == total else "statement is not executed",
        skipped=draw(st.sampled_from(((), (Note("m0", "missing"),)))),
    )


@st.composite
def calm_subjects(draw: st.DrawFn) -> Subject:
    """A failed migration with all its scripts found, production at one's beginning or end, and nothing else wrong."""
    attempts = draw(st.lists(rows, min_size=1, max_size=2, unique_by=lambda row: row.id))
    ran = sorted({attempt.checksum for attempt in attempts})
    present = draw(st.sampled_from((*ran, "c")))
    found = tuple(draw(replays(st.just(each))) for each in sorted({*ran, present}))
    chosen = draw(st.sampled_from(found))
    return Subject(
        migration="m1",
        attempts=tuple(attempts),
        replays=found,
        present=present,
        production=_real({**chosen.steps[draw(st.sampled_from((0, -1)))], **draw(st.just({}) | snapshots)}),
    )


@st.composite
def wild_subjects(draw: st.DrawFn) -> Subject:
    """Anything at all; production stands at a step of a replay in half of the examples."""
    attempts = draw(st.lists(rows, min_size=1, max_size=3, unique_by=lambda row: row.id))
    found = tuple(draw(replays(st.just(each))) for each in draw(st.lists(checksums, max_size=3, unique=True)))
    production = draw(snapshots)
    if found and draw(st.booleans()):
        production = draw(st.sampled_from(draw(st.sampled_from(found)).steps))
    return Subject(
        migration="m1",
        attempts=tuple(attempts),
        replays=found,
        present=draw(checksums),
        production=production,
        unreadable=draw(st.sampled_from(("", "", "", "no script"))),
        overtaken_by=draw(st.sampled_from(((), (), (), ("m9",)))),
        running=draw(st.sampled_from(((), (), (), ("pid 7 runs it.",)))),
    )


@st.composite
def pending_subjects(draw: st.DrawFn) -> Subject:
    """A pending migration, never attempted, with production at one of its steps or anywhere."""
    replay = draw(replays())
    return Subject(
        migration="m1",
        attempts=(),
        replays=(replay,),
        present=replay.checksum,
        production=_real({**draw(st.sampled_from(replay.steps)), **draw(st.just({}) | snapshots)}),
        unreplayed=draw(st.sampled_from(((), (), ("m0",)))),
        ahead=draw(st.sampled_from(((), (), ("m0",)))),
        running=draw(st.sampled_from(((), (), ("pid 7 runs it.",)))),
    )


def subjects() -> st.SearchStrategy[Subject]:
    """A failed migration, calm or wild."""
    return calm_subjects() | wild_subjects()


evidence = subjects().map(lambda subject: judge(subject, UNKNOWN, TARGET, ()))
#: Evidence that no subject needs to give: whatever the rules above it say, these must hold their ground.
any_evidence = st.builds(
    Evidence,
    migration=names,
    started_at=st.just("2026-01-01"),
    applied_steps_count=st.integers(0, 1),
    logs=st.none(),
    cause=causes,
    verdict=st.sampled_from(Verdict),
    decision=st.sampled_from(Decision),
    progress=st.just(Progress((0, 0), 1)),
    statements=st.just(()),
    differences=st.just(()),
    reasons=st.sampled_from(((), ("a reason.",))),
    evidence_digest=st.sampled_from(("sha256:1", "sha256:2")),
    obstacles=st.sampled_from(((), (), (Obstacle(1, "duplicates", 2, "2 values occur more than once", "SELECT 1;"),))),
)


#: The same of migrations that were never attempted.
present_evidence = st.builds(
    replace, any_evidence, migration=names, started_at=st.just(""), applied_steps_count=st.just(0)
) | pending_subjects().map(lambda subject: judge(subject, UNKNOWN, TARGET, ()))


plans = st.builds(
    Plan,
    way=st.sampled_from(Way),
    ends=st.just(2),
    statements=st.sampled_from(((), (PlannedStatement("DROP TABLE x", loses=(Loss("public.x", 1),)),))),
    together=st.booleans(),
    rows=st.booleans(),
    obstacles=st.sampled_from(((), (Obstacle(1, "duplicates", 2, "a fact", "SELECT"),))),
    proof=st.just("it ends there"),
    digest=st.sampled_from(("sha256:complete", "sha256:undo")),
)
repairs = st.lists(plans, max_size=2, unique_by=lambda plan: plan.digest).map(lambda found: Repairs(tuple(found)))


@st.composite
def classify_facts(
    draw: st.DrawFn, of: st.SearchStrategy[Evidence] = evidence | any_evidence | present_evidence
) -> ClassifyFacts:
    """Evidence with or without an approval, of it or of other evidence."""
    found = draw(of)
    if draw(st.booleans()):
        found = replace(found, repair=draw(repairs))
    approval = draw(
        st.none()
        | st.builds(
            Approval,
            migration=st.sampled_from((found.migration, "m3")),
            decision=st.sampled_from(Decision),
            evidence_digest=st.sampled_from((found.evidence_digest, "sha256:1", "sha256:complete")),
            reason=st.just("because"),
        )
    )
    discard = draw(st.sampled_from((frozenset[str](), frozenset({"public.x"}))))
    agreed, repairing, restorable = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    return ClassifyFacts(found, draw(st.booleans()), approval, agreed, repairing, discard, restorable)


@st.composite
def baselines(draw: st.DrawFn) -> Baseline:
    """A baseline that the rules can give."""
    verdict, decision = draw(
        st.sampled_from(
            (
                (Verdict.APPLIED, Decision.MARK_APPLIED),
                (Verdict.UNDECIDABLE, Decision.OPERATOR),
                (Verdict.DRIFTED, Decision.OPERATOR),
                (Verdict.NOT_APPLIED, Decision.OPERATOR),
                (Verdict.IN_PROGRESS, Decision.WAIT),
            )
        )
    )
    if verdict in (Verdict.DRIFTED, Verdict.NOT_APPLIED):
        return Baseline(verdict, decision, reasons=("a reason.",), evidence_digest="sha256:0")
    further = ("m2",) if verdict is Verdict.UNDECIDABLE and draw(st.booleans()) else ()
    reach, lacking = ("m1", *further), ("m0", "m1", *further)
    return Baseline(
        verdict, decision, "m1", reach, ("m0", "m1"), lacking, reasons=("a reason.",), evidence_digest="sha256:0"
    )


@st.composite
def baseline_facts_with(draw: st.DrawFn) -> BaselineFacts:
    """A baseline with or without an approval, of it or of another one."""
    approvals = st.builds(
        Approval,
        migration=st.sampled_from(("m1", "m2", "m3")),
        decision=st.just(Decision.MARK_APPLIED),
        evidence_digest=st.sampled_from(("sha256:0", "sha256:1")),
        reason=st.just("because"),
    )
    return BaselineFacts(draw(baselines()), draw(st.none() | approvals), draw(st.booleans()))


baseline_facts = baseline_facts_with()


@st.composite
def inspect_facts_with(draw: st.DrawFn) -> InspectFacts:
    """Ledger and folder; where a deploy could be next, perhaps with what of the pending is in production."""
    facts = InspectFacts(draw(histories()), draw(some_names.map(frozenset)))
    if facts.history.pending and draw(st.booleans()):
        facts = replace(facts, baseline=draw(st.none() | baseline_facts))
    if facts.unsettled or not facts.history.pending:
        return facts
    return replace(facts, present=tuple(draw(st.lists(classify_facts(present_evidence), max_size=2))))


inspect_facts = inspect_facts_with()
resolve_facts = st.builds(
    ResolveFacts,
    effect=st.builds(MarkApplied, names) | st.builds(MarkRolledBack, names),
    shown=st.booleans(),
    after=inspect_facts,
    unchanged=st.sampled_from(("", "", "the evidence has changed")),
    output=words,
)
failures = st.builds(Failure, migration=names, cause=causes, logs=st.none() | st.just("ERROR"))
some_failures = st.lists(failures, max_size=2).map(tuple)
deploy_facts = st.builds(
    DeployFacts,
    planned=some_names,
    after=inspect_facts,
    consented=st.booleans(),
    unchanged=st.sampled_from(("", "", "the pending set has changed")),
    failures=some_failures,
    earlier=some_failures,
    output=words,
)
differing = st.builds(
    MigrationDifference,
    migration=names,
    differences=st.sampled_from(((), (Difference("table public.x", "exists", "yes", None),))),
)
few_differing = st.sampled_from(((), (), "some")).flatmap(
    lambda kind: st.just(()) if kind == () else st.lists(differing, max_size=2).map(tuple)
)
few_words = st.sampled_from(((), (), ("m1",)))
verify_facts = st.builds(
    VerifyFacts,
    after=inspect_facts,
    changed=st.booleans(),
    proven=some_names,
    differing=few_differing,
    elsewhere=few_differing,
    wrong_checksums=few_words,
    unprovable=few_words,
)

#: What each state reads.
FACTS: dict[State, st.SearchStrategy[object]] = {
    State.PREFLIGHT: preflight_facts,
    State.INSPECT: inspect_facts,
    State.CLASSIFY: classify_facts() | baseline_facts,
    State.RESOLVE: resolve_facts,
    State.DEPLOY: deploy_facts,
    State.VERIFY: verify_facts,
}


def row(
    number: int = 1, *, checksum: str = "a", steps: int = 0, finished: bool = False, rolled_back: bool = False
) -> Row:
    """A ledger row of the migration `m1`; unfinished unless told otherwise."""
    return Row(
        id=str(number),
        migration="m1",
        checksum=checksum,
        started_at=f"2026-01-0{number}T00:00:00Z",
        finished_at="2026-02-01T00:00:00Z" if finished else None,
        rolled_back_at="2026-02-02T00:00:00Z" if rolled_back else None,
        applied_steps_count=steps,
        logs=None,
    )


def steps_of(*changes: Mapping[Key, str | None], base: Mapping[Key, str] | None = None) -> list[dict[Key, str]]:
    """S₀ … Sₙ, each step given by what it changes; None removes a property."""
    steps = [dict(base or {})]
    for change in changes:
        step = {**steps[-1], **{key: value for key, value in change.items() if value is not None}}
        steps.append({key: value for key, value in step.items() if change.get(key, "") is not None})
    return steps


def replay_of(
    steps: Sequence[Mapping[Key, str]],
    *,
    checksum: str = "a",
    unseen: Mapping[int, Visibility] | None = None,
    extra: Sequence[Key] = (),
    named: Sequence[str] = (),
    total: int | None = None,
    skipped: Sequence[Note] = (),
) -> Replay:
    """A replay of these steps; statements are seen unless `unseen` says otherwise."""
    kinds = dict(unseen or {})
    count = len(steps) - 1 if total is None else total
    for index in range(len(steps), count + 1):
        kinds[index] = Visibility.UNREACHED
    footprint = {*extra}
    for before, after in itertools.pairwise(steps):
        footprint |= {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    first = {obj for obj, prop in steps[0] if prop == "exists"}
    return Replay(
        checksum=checksum,
        statements=tuple(
            Statement(index, f"SQL {index}", kinds.get(index, Visibility.SEEN), f"why {index}")
            for index in range(1, count + 1)
        ),
        steps=tuple({key: step[key] for key in footprint if key in step} for step in steps),
        footprint=frozenset(footprint),
        created=frozenset({obj for step in steps for obj, prop in step if prop == "exists"} - first),
        named=frozenset(named),
        ended=None if count == len(steps) - 1 else "a statement is not executed",
        skipped=tuple(skipped),
    )
