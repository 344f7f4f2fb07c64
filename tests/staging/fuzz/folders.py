"""Writes a case as a folder that can be staged again with psql alone."""

import json
from pathlib import Path

from tests.staging.fuzz.events import play
from tests.staging.fuzz.model import Case
from tests.staging.fuzz.staging import Judged, files_of


def write(found: Judged, folder: Path) -> Path:
    """Writes migrations/, setup.sql and case.json into a folder of the case's own; returns that.

    Where the file was edited after an attempt, earlier/ holds the migrations as they were.
    """
    case = found.case
    decisions = sorted({each.rpartition("→ ")[2] for each in found.decisions})
    made = folder / f"{case.event.name.lower()}_{case.label.replace('/', '_')}"
    _migrations(made / "migrations", files_of(case))
    acts = play(case)
    if acts.known:
        _migrations(made / "earlier", {**files_of(case), **acts.known})
    (made / "setup.sql").write_text(f"SET search_path = public;\n{found.staged}\n")
    about = {
        "truth": _truth(case),
        "migration": acts.judged[0],
        "never": [each for each in decisions if each.startswith("mark_") or each == "deploy"],
        "seen": list(found.decisions),
        "reasons": list(found.reasons),
    }
    (made / "case.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    return made


def _migrations(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "migration.sql").write_text(text)


def _truth(case: Case) -> str:
    hands = [step.by_hand or "(left out)" for step in case.steps if step.hand is not None]
    undone = [step.statement.undo for step in case.steps if step.undone]
    said = [case.event.value, f"cut {case.cut}" if case.cut else "", *(f"by hand: {text}" for text in hands)]
    return "; ".join([*filter(None, said), *(f"undone: {text}" for text in undone)])
