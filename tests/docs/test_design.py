"""docs/design.md shows the layers that import-linter checks, and every room of the house."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "design.md").read_text()


def rooms() -> set[str]:
    """What one sees when `recovery/` is opened."""
    found = (path for path in (ROOT / "recovery").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists())
    return {path.stem for path in found} - {"__init__", "__pycache__"}


def test_the_picture_is_the_contract() -> None:
    """Each line of the picture is a layer of the contract, from the doors down to the ground."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = [each for each in settings["contracts"] if each.get("containers") == ["recovery"]]
    picture = PAGE.split("```text\n")[1].split("```")[0]
    lines = [re.split(r"\s{2,}", line.strip()) for line in picture.splitlines()]
    layers = [set(line[1:] if line[0] not in rooms() else line) for line in lines if line[0] != "rules"]
    assert [set(layer.split(" | ")) for layer in contract["layers"]] == layers


def test_every_room_has_a_sentence() -> None:
    """The table under the picture has a row for each room, and no other."""
    table = PAGE.split("| room | what it does |\n|---|---|\n")[1].split("\n\n")[0]
    named = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == rooms() | {"states"}


def test_every_file_that_is_pointed_to_is_there() -> None:
    """What the page says of where to look is so."""
    for path in re.findall(r"`((?:recovery|states|tests|docs)/[\w/.]*)`", PAGE):
        assert (ROOT / path).exists(), path
