"""Access to any PostgreSQL: connections, the catalog, sessions and locks, the target and its ledger."""
