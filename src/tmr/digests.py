"""What stands for the content of files, and for options and versions of code."""

import hashlib
from pathlib import Path

import orjson

VERSION = 1  # of fingerprints: with another one, everything is made again
_CHUNK = 1 << 20  # bytes of a file read at a time


def content_digest(*files: Path | str, algorithm: str = "sha256") -> str:
    """Hexadecimal digest of the content of files, one after the other."""
    digest = hashlib.new(algorithm)
    for file in files:
        with Path(file).open("rb") as opened:
            while block := opened.read(_CHUNK):
                digest.update(block)
    return digest.hexdigest()


def fingerprint(kind: str, version: int, **parts: object) -> str:
    """SHA-256 that stands for everything a file is made from.

    ``kind`` and ``version`` name the code that makes it; ``parts`` are its inputs (digests of
    their content) and options, as JSON values.
    """
    named = [kind, version, VERSION, parts]
    options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
    return hashlib.sha256(orjson.dumps(named, option=options)).hexdigest()
