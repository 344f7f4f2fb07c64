"""Says how much was swept."""

from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Sums up what the tests have counted."""
    counted: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        found = dict(report.user_properties)
        counted.update(found if "pairs" in found else {})
    if counted:
        said = "{instants:,} instants, {deaths:,} deaths at them, {pairs:,} pairs of deaths".format_map(counted)
        terminalreporter.write_line(f"swept: {said}")
