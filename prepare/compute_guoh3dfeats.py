"""Joints to features and mirrored features: `python -m prepare.compute_guoh3dfeats --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
