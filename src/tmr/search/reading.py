"""Motions of a source read side by side; what cannot be used is skipped with its reason."""

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from operator import length_hint
from pathlib import Path
from typing import cast

import joblib

from tmr.errors import InputError
from tmr.io import call_in
from tmr.progress import Unwanted
from tmr.search.sources import FolderSource, Listed, Motion, Source

log = logging.getLogger(__name__)

_FILES_PER_PROCESS = 16  # fewer are read sooner than another process starts

Skipped = dict[str, str]  # file: reason


def read_motions(source: Source, listed: Sequence[Listed], skipped: Skipped) -> Iterator[Motion]:
    """The motions in order. Files that cannot be used are added to ``skipped``.

    Motion files of a folder are parsed in several processes, features of a data set in this one.
    Where a process dies, for want of memory or whatever else, the files that it may have had are
    read one by one; the one that kills it again is skipped.
    """
    processes = 1
    if isinstance(source, FolderSource):
        processes = min(joblib.cpu_count(), 1 + len(listed) // _FILES_PER_PROCESS)
    rest, suspects = deque(listed), 0
    while rest:
        unread = iter([rest[0]] if suspects else list(rest))
        try:
            for result in _attempts(source, unread, 2 if suspects else processes):
                rest.popleft()
                suspects = max(suspects - 1, 0)
                if isinstance(result, Motion):
                    yield result
                else:
                    skipped.update([result])
        except BrokenProcessPool:
            log.warning("a process that reads files died")
            if suspects:
                file = rest.popleft().take.file
                skipped[file] = "its reader ended; it is damaged, or too large for this computer"
                suspects = 0
            else:
                suspects = len(rest) - length_hint(unread)


def _attempts(
    source: Source, listed: Iterator[Listed], processes: int
) -> Iterable[Motion | tuple[str, str]]:
    """What :func:`attempt` makes of each, in order."""
    if processes == 1:
        return (attempt(source, some) for some in listed)
    parallel = joblib.Parallel(processes, return_as="generator")
    jobs = (joblib.delayed(call_in)(Path.cwd(), attempt, source, some) for some in listed)
    return cast(Iterable[Motion | tuple[str, str]], parallel(jobs))


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
