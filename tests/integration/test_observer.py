"""What an observer of production and the folder reads, and how often."""

from contextlib import closing

from recovery.app.observer import Observer
from recovery.preflight.expectation import Expectation
from tests.integration.rules.production import Production


def test_the_folder_is_read_anew_but_for_who_only_looks(production: Production) -> None:
    """A run meets what somebody puts there meanwhile. One look is of one instant."""
    with closing(production.target()) as target:
        observer = Observer(target, production.folder, production.workshop, Expectation(typed=production.database))
        before = observer.scripts()
        production.file("20260120_meanwhile", "SELECT 1")
        assert set(observer.scripts().names) - set(before.names) == {"20260120_meanwhile"}
        observer.once = True
        looked = observer.scripts()
        production.file("20260121_later", "SELECT 1")
        assert observer.scripts() is looked
        assert observer.inspect().history.pending == ("20260120_meanwhile",)
