"""Stand-ins for tests of code that embeds this library, in memory. They keep the contracts of what they stand for."""

from recovery.testing.database import MemoryDatabase
from recovery.testing.journal import MemoryJournal
from recovery.testing.ticks import Died, Ticks
from recovery.testing.world import MemoryWorld

__all__ = ["Died", "MemoryDatabase", "MemoryJournal", "MemoryWorld", "Ticks"]
