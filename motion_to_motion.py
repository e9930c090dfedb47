"""Find the motions of a split that are most like a motion. `python motion_to_motion.py --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
