"""Mine a data set for duplicates, disagreements and clusters: `python mine_pairs.py --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
