"""The command line: a thin layer, and the only place that prints, reads the terminal, and exits."""

#: The width in columns that help is made for at most.
_WIDEST = 80
#: New objects after which garbage is looked for.
_OBJECTS = 20_000


def main() -> None:
    """Entry point of the console script `prisma-recovery`."""
    _leave_at_signals()

    import sys

    if sys.argv[1:] == ["--help"]:
        _show_help()

    import gc

    from recovery.cli.interruption import interruption

    interruption.install()
    # What is loaded stays. Looking through it for garbage, at every 700th object, would take an eighth of the start.
    gc.set_threshold(_OBJECTS)
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


def _show_help() -> None:
    """Shows what `--help` says and exits, without loading what makes it; returns where it is to be made after all.

    It is kept as it is for a terminal of 80 columns, which is the widest that it is made for.
    """
    import os
    import sys

    columns = os.environ.get("COLUMNS", "")
    try:
        wide = int(columns) if columns else os.get_terminal_size(1).columns
    except ValueError:
        return
    except OSError:  # it is no terminal
        wide = _WIDEST
    if wide < _WIDEST or os.path.basename(sys.argv[0]) != "prisma-recovery":  # noqa: PTH119 - pathlib takes longer
        return
    try:
        with open(os.path.join(os.path.dirname(__file__), "help.txt"), "rb") as kept:  # noqa: PTH118, PTH120, PTH123 - as above
            left = kept.read()
    except OSError:
        return
    try:
        while left:
            left = left[os.write(1, left) :]
    except OSError:  # nobody takes it any more, which counts as SIGHUP
        os._exit(130)
    os._exit(0)
