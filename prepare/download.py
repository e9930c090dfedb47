"""Published weights, annotations and statistics: `python -m prepare.download --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
