"""The split of dissimilar captions: `python -m prepare.nsim_split --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
