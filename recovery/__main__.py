"""Entry point of `python -m recovery`."""

from recovery.cli import main

main()
