"""What the C library does with memory that is freed."""

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next step, instead of handing it back.

    Each step on a CPU takes and frees the same few hundred megabytes. What is handed back comes
    again page by page, zeroed by the kernel: a third of a step in bfloat16. Other C libraries have
    no such setting, and are left as they are.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_MAX, 0)  # large blocks come from the heap too,
    libc.mallopt(M_TRIM_THRESHOLD, -1)  # which is not cut
