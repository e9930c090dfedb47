"""The embedded data set of procedural motions: `python -m prepare.synthesize --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
