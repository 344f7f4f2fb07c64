"""The command line: a thin layer, and the only place that prints, reads the terminal, and exits."""

import sys


def main() -> None:
    """Entry point of the console script `prisma-recovery`."""
    if sys.argv[1:2] == ["guard"]:
        from recovery.cli.guard_run import quickly

        quickly(sys.argv[1:])
    from recovery.cli.app import run_app

    run_app()
