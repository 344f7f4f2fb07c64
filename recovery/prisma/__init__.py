"""The Prisma project: its schema, settings and CLI, and its migrations folder with their history in git."""
