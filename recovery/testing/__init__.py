"""In-memory stand-ins for tests of programs that embed this library. They keep the contracts of the real parts."""

from recovery.testing.database import MemoryDatabase
from recovery.testing.journal import MemoryJournal
from recovery.testing.ticks import Died, Ticks
from recovery.testing.world import MemoryWorld

__all__ = ["Died", "MemoryDatabase", "MemoryJournal", "MemoryWorld", "Ticks"]
