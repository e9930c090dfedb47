"""Find the captions that fit a motion best. `python motion_to_text.py --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
