"""The example of a staged case in docs/contributing.md."""

import re
from pathlib import Path
from typing import Any

from tests.integration.rules.production import Production

PAGE = Path(__file__).resolve().parents[3] / "docs" / "contributing.md"


def test_the_staged_case_of_the_page_passes(production: Production) -> None:
    """What the page shows is a test, and holds."""
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(program, str(PAGE), "exec"), names)  # noqa: S102 - our own page
    (test,) = (value for name, value in names.items() if name.startswith("test_"))
    test(production)
