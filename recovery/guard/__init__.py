"""Keeping Prisma commands that must never meet production away from it."""
