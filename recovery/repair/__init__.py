"""Plans of repair: proposed from the steps of a replay, and kept only if their rehearsal ends where it should."""
