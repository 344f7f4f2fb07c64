"""What `import recovery` gives, and what it costs."""

import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

import recovery
from recovery import Event, Options, Question, Recovery, RecoveryError, auto
from recovery.app.opening import one_at_a_time
from recovery.events import OutputLine, StepStarted
from states.effects import Deploy

#: What only a command that looks at a database needs; each takes longer to load than `--help` should take.
HEAVY = {"psycopg", "rich", "msgspec", "transitions", "structlog", "httpx", "postgast", "recovery.run.engine"}
URL = "postgresql://u:hush@{}.example.com:5432/app"


def loaded_by(program: str) -> set[str]:
    """The modules that a program has loaded when it ends."""
    code = f"import sys\ntry:\n    {program}\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    command = [sys.executable, "-c", code]
    return set(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stderr.split())


@pytest.mark.parametrize(
    "program",
    [
        "import recovery",
        "sys.argv = ['made-anew', '--help']; from recovery.cli import main; main()",
        "sys.argv = ['prisma-recovery', 'run', '--help']; from recovery.cli import main; main()",
        "sys.argv = ['prisma-recovery', '--version']; from recovery.cli import main; main()",
    ],
)
def test_nothing_is_loaded_before_it_is_needed(program: str) -> None:
    """Neither the import nor the help waits for what only a recovery needs."""
    modules = loaded_by(program)
    assert "recovery" in modules
    assert not HEAVY & modules


def test_every_name_can_be_imported_and_no_other() -> None:
    """`__all__` is what is there; a misspelt name is an error, as in any module."""
    assert {"Recovery", "auto"} <= set(recovery.__all__)
    for name in recovery.__all__:
        assert getattr(recovery, name).__name__ == name
    with pytest.raises(AttributeError, match="Recover"):
        _ = recovery.Recover
    with pytest.raises(ImportError):
        from recovery import Recover  # noqa: F401, PLC0415 - it is not there


def test_auto_agrees_to_what_it_names() -> None:
    """And to nothing else; a kind that does not exist is a mistake in the program."""
    deploy = Question("deploy", Deploy(("1_a",)), "prisma migrate deploy")
    assert auto("deploy").consents(deploy)
    assert not auto("applied", "not_applied", "pipeline").consents(deploy)
    assert not auto().consents(deploy)
    with pytest.raises(ValueError, match="aplied"):
        auto("aplied")


def test_the_environment_is_the_one_that_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process's own counts only where none is given, as it was when the recovery was made."""
    monkeypatch.setenv("DIRECT_URL", URL.format("process"))
    monkeypatch.setenv("PRISMA_RECOVERY_JOURNAL", URL.format("journal"))
    one = Recovery(tmp_path)
    monkeypatch.setenv("DIRECT_URL", "changed since")
    assert one._session.target().url.host == "process.example.com"  # noqa: SLF001 - nothing is opened for it
    assert str(one._session.store()).startswith("journal.example.com")  # noqa: SLF001
    with pytest.raises(RecoveryError) as caught:
        Recovery(tmp_path, environment={}).inspect()
    assert caught.value.code == "url.missing"
    assert Recovery(tmp_path, Options(), environment={}).status() == ()


def test_events_are_told_by_one_thread_at_a_time() -> None:
    """A command's output comes from a thread of its own; it waits until the event before it was dealt with."""
    told: list[str] = []

    def tell(event: Event) -> None:
        if event == StepStarted("first", ()):
            beside.start()
            beside.join(0.2)  # it would be through by then, if it had not to wait
        told.append(event.step if isinstance(event, StepStarted) else "output")

    emit = one_at_a_time(tell)
    beside = Thread(target=emit, args=(OutputLine("a line"),))
    emit(StepStarted("first", ()))
    beside.join()
    assert told == ["first", "output"]


def test_paths_count_from_the_projects_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory has no say: neither in the settings, nor in the project, nor in where the journal is."""
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    (project / "prisma").mkdir(parents=True)
    (project / "prisma" / "schema.prisma").write_text("")
    (project / "package.json").write_text("{}")
    (project / "prisma-recovery.toml").write_text('[production]\nhost = "db.example.com"\n')
    elsewhere.mkdir()
    (elsewhere / "prisma-recovery.toml").write_text('[production]\nhost = "other.example.com"\n')
    monkeypatch.chdir(elsewhere)
    for given in (project, Path("../project"), str(project)):
        one = Recovery(given, Options(migrations=Path("prisma/migrations")), environment={})
        assert one.settings.production.host == "db.example.com"
        assert one._session.folder() == project / "prisma" / "migrations"  # noqa: SLF001 - nothing is opened for it
        assert one._session.home() == project  # noqa: SLF001
