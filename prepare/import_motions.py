"""Motion files to joints of the 22-joint skeleton: `python -m prepare.import_motions --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
