"""Encode a large folder or data set into a library: `python encode_library.py --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
