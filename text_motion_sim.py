"""Scores of texts and motions: `python text_motion_sim.py --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
