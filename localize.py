"""Find where in a motion or a library a sentence happens: `python localize.py --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
