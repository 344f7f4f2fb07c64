"""How a recovery is shown: to people in a terminal, to machines as JSON."""
