"""Acts for the states RESOLVE and DEPLOY: makes a restore point, and runs Prisma's commands under Prisma's own lock."""
