"""A password goes to the server and to nobody else."""

from pathlib import Path
from urllib.parse import quote

from tests.acceptance.scene import APPLIED, Scene
from tests.staging import stage, start

PASSWORD = "correct/horse&battery#7"  # noqa: S105 - the test's own server's


def test_the_password_is_seen_nowhere(tmp_path: Path) -> None:
    """A whole run, with every other command: no output, no file and no command line of any process holds it."""
    with start(password=PASSWORD) as server:
        scene = Scene(stage("exists", tmp_path / "project", server), server, cold=True)
        assert quote(PASSWORD, safe="") in scene.incident.database_url
        scene.rehearse(resolve="look around", deploy="look around")
        commands = (
            ("inspect",),
            ("inspect", "--json"),
            ("run", "--yes", "--pipeline", "--verbose"),
            ("status",),
            ("status", "--json"),
            ("pipeline",),
        )
        said = []
        for command in commands:
            scene.cold = command[0] == "run"  # then it is looked at, and so are the command lines of its children
            said.append(scene.cli(*command))
        assert said[2].code == 0, said[2]
        assert "as a CLI might say: *** with ***" in said[2].out
        assert scene.ledger() == APPLIED
        scene.variables["DATABASE_URL"] = scene.incident.database_url.replace("horse", "mouse")
        wrong = scene.cli("run", "--yes")
        assert wrong.code == 4
        assert "mouse" not in wrong.said
    told = {f"output {number}": done.said.encode() for number, done in enumerate(said)}
    written = [path for path in (scene.folder / ".prisma-recovery").rglob("*") if path.is_file()]
    seen = [scene.rehearsed / "seen", scene.rehearsed / "commands"]
    assert b"prisma-recovery" in seen[0].read_bytes()
    told |= {str(path): path.read_bytes() for path in (*written, *seen)}
    secrets = (PASSWORD.encode(), quote(PASSWORD, safe="").encode(), b"battery")
    assert [name for name, text in told.items() if any(secret in text for secret in secrets)] == []
