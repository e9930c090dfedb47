"""Whether a data set is ready: `python -m prepare.check --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
