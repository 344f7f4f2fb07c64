"""Looks in production for rows, names and privileges that would make a migration fail again."""
