"""A release of captions to annotations and splits: `python -m prepare.annotations --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
