"""Keeps dangerous Prisma commands away from production: reads a command line, and decides whether it may run."""
