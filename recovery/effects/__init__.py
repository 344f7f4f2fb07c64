"""Acts for the states RESOLVE and DEPLOY: hands commands to Prisma under its lock, and makes the way back."""
