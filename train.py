"""Train TMR or TEMOS: `python train.py --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
