"""Prisma's side of a project: its schema, migrations folder, `.env`, and the CLI."""
