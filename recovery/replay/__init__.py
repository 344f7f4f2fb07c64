"""Runs a history and a migration in a scratch database, to find what the migration does, statement by statement."""
