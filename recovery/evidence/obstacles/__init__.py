"""What would make a migration fail again: questions to production about rows, names and privileges."""
