"""What freed memory costs when it is taken again."""

import platform
import resource
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch

from tests.processes import CONTEXT
from tmr.training.allocator import keep_freed_memory

MEGABYTES, PAGE = 48, resource.getpagesize()


def pages_fetched(kept: bool) -> int:
    """How many pages the kernel hands out while the same blocks are taken once more."""
    if kept:
        keep_freed_memory()
    numbers = 2**20 * MEGABYTES // 4
    before = 0
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        blocks = [torch.empty(numbers).fill_(1) for _ in range(3)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def in_a_new_process(keep: bool) -> int:
    with ProcessPoolExecutor(1, CONTEXT) as pool:
        return pool.submit(pages_fetched, keep).result()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's setting")
def test_memory_once_taken_is_not_fetched_again() -> None:
    as_it_is, kept = map(in_a_new_process, (False, True))
    taken = 3 * MEGABYTES * 2**20 // PAGE
    assert as_it_is > 0.9 * taken
    assert kept < 0.1 * as_it_is
