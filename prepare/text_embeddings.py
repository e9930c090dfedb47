"""Token states and sentence vectors of captions: `python -m prepare.text_embeddings --help`."""

from tmr.commands.cli import run

if __name__ == "__main__":
    run(__file__)
