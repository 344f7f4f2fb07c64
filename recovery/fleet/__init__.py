"""Many databases with one history: looks at all of them, and recovers those that need it.

For programs: `recovery.fleet.api`. Nothing here is loaded by a command that works on one database.
"""
