"""The latent of a motion file: `python encode_motion.py --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
