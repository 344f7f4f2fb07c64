"""The command line: thin, and the only place that prints, reads the terminal, and exits."""


def main() -> None:
    """Entry point of the console script `prisma-recovery`."""
    from recovery.cli.app import run_app

    run_app()
