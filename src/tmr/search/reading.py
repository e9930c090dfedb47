"""Motions of a source read side by side; what cannot be used is skipped with its reason."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

import joblib

from tmr.errors import InputError
from tmr.io import call_in
from tmr.progress import Unwanted
from tmr.search.sources import FolderSource, Listed, Motion, Source

_FILES_PER_PROCESS = 16  # fewer are read sooner than another process starts

Skipped = dict[str, str]  # file: reason


def read_motions(source: Source, listed: Sequence[Listed], skipped: Skipped) -> Iterator[Motion]:
    """The motions in order. Files that cannot be used are added to ``skipped``.

    Motion files of a folder are parsed in several processes, features of a data set in this one.
    """
    processes = 1
    if isinstance(source, FolderSource):
        processes = min(joblib.cpu_count(), 1 + len(listed) // _FILES_PER_PROCESS)
    if processes == 1:
        results: Iterable[Motion | tuple[str, str]] = (attempt(source, some) for some in listed)
    else:
        parallel = joblib.Parallel(processes, return_as="generator")
        jobs = (joblib.delayed(call_in)(Path.cwd(), attempt, source, some) for some in listed)
        results = cast(Iterable[Motion | tuple[str, str]], parallel(jobs))
    for result in results:
        if isinstance(result, Motion):
            yield result
        else:
            skipped.update([result])


def attempt(source: Source, listed: Listed) -> Motion | tuple[str, str]:
    """A motion, or the file with the reason why it cannot be used, whatever is in it."""
    file = listed.take.file
    try:
        return source.read(listed)
    except Unwanted:
        raise
    except InputError as error:
        return file, str(error).removeprefix(f"{source.path(listed.take)}: ")
    except Exception as error:  # one file of 15,000 must not cost the others
        return file, f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
