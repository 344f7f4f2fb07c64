"""Killed at every instant, and again at every instant while resuming: scenarios of a ledger that lost rows."""

import pytest

from tests.sweep.scenarios import of_part
from tests.sweep.sweeping import Count, sweep_pairs


@pytest.mark.parametrize("name", of_part("baseline"))
def test_every_pair_of_deaths(name: str, record_property: Count) -> None:
    """The recovery goes on to the same end, with every effect once, and its journal is a path."""
    sweep_pairs(name, record_property)
