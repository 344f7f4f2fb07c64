"""Production as PostgreSQL shows it: connections, catalog, locks."""
