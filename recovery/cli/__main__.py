"""Entry point of `python -m recovery.cli`."""

from recovery.cli import main

if __name__ == "__main__":
    main()
