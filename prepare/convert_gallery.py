"""A gallery of version 0.1 as a library: `python -m prepare.convert_gallery --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
