"""Several data sets as one to train on: `python -m prepare.combine --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
