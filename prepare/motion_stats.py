"""Feature statistics for normalization: `python -m prepare.motion_stats --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
