"""Recognize actions by sentences that stand for labels: `python zero_shot.py --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
