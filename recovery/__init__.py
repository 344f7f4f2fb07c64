"""Recovers a production PostgreSQL whose Prisma migration failed half-way."""

__version__ = "0.1.0"
