"""The command line: a thin layer, and the only place that prints, reads the terminal, and exits."""


def main() -> None:
    """Entry point of the console script `prisma-recovery`."""
    _leave_at_signals()

    import sys

    from recovery.cli.interruption import interruption

    interruption.install()
    if sys.argv[1:2] == ["guard"]:
        from recovery.cli.guard_run import quickly

        quickly(sys.argv[1:])
    from recovery.cli.app import run_app

    run_app()


def _leave_at_signals() -> None:
    """Lets signals end this process with exit code 130, until there are better handlers: those take a while to load."""
    import _signal  # type: ignore[import-not-found] # what `signal` is made of, and is there already
    import os

    for number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, lambda *_: os._exit(130))
