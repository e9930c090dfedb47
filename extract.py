"""Weights of a checkpoint, one file for each module: `python extract.py --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
