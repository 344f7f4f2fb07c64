"""Real deaths: recoveries of a staged production that are killed at named instants, and run again."""
