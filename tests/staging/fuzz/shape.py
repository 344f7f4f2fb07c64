"""What a drawn database holds, as far as the next statement to be drawn has to know it."""

import copy
import random
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Shape:
    """The objects that statements can work on; each maker of statements changes it as the statement would.

    Attributes:
        draw: the source of chance.
        main: the table that most statements work on.
        tables: the types of each table's columns, in order.
        enums: labels, table and column of each enum.
        snapshots: materialised views.
        calls: calls of functions that write rows.
        indexes: table and column of each index.
        keys: table of each foreign key.
        dated: tables with columns `id` and `d` (a date) that can become a partition.
        parents: tables partitioned by the date `d`.
        extras: objects that only production has.
    """

    draw: random.Random
    main: str = "users"
    tables: dict[str, dict[str, str]] = field(default_factory=dict)
    enums: dict[str, tuple[list[str], str, str]] = field(default_factory=dict)
    sequences: list[str] = field(default_factory=list)
    snapshots: list[str] = field(default_factory=list)
    views: list[str] = field(default_factory=list)
    domains: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    indexes: dict[str, tuple[str, str]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    dated: list[str] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)
    triggers: list[str] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    _number: int = 0

    def fresh(self, stem: str) -> str:
        """A name that nothing has."""
        self._number += 1
        return f"{stem}{self._number}"

    def chance(self, share: float) -> bool:
        """True in this share of all calls."""
        return self.draw.random() < share

    def table(self) -> str:
        """The main table mostly, else another one."""
        if self.main in self.tables and self.chance(0.6):
            return self.main
        return self.draw.choice(list(self.tables))

    def column(self, table: str, *types: str) -> str | None:
        """A column of one of these types, never `id`; None if there is none."""
        found = [name for name, kind in self.tables[table].items() if kind in types and name != "id"]
        return self.draw.choice(found) if found else None

    def typed(self, *types: str) -> tuple[str, str] | None:
        """A table with such a column, and the column; None if there is none."""
        found = [
            (table, name)
            for table, columns in self.tables.items()
            for name, kind in columns.items()
            if kind in types and name != "id"
        ]
        mine = [pair for pair in found if pair[0] == self.main]
        return self.draw.choice(mine if mine and self.chance(0.6) else found) if found else None

    def copy(self, draw: random.Random) -> Self:
        """A copy that can be changed by itself, with a source of chance of its own."""
        made = copy.copy(self)
        for name, value in vars(self).items():
            if name != "draw" and isinstance(value, dict | list):
                setattr(made, name, copy.deepcopy(value))
        made.draw = draw
        return made
