"""Evaluate a run folder by the retrieval protocols: `python retrieval.py --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
