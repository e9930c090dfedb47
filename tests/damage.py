"""Ways in which a file is damaged: flipped, cut, empty and foreign bytes, drawn by a seed."""

import random
from collections.abc import Iterator


def damaged(content: bytes, seed: int, flips: int = 12) -> Iterator[tuple[str, bytes]]:
    """What happened, and the content after it; every one differs from ``content``."""
    generator = random.Random(seed)
    for _ in range(flips):
        # Half of the flips near the front, where headers are.
        end = min(len(content), 400) if generator.random() < 0.5 else len(content)
        place, bit = generator.randrange(end), generator.randrange(8)
        flipped = bytearray(content)
        flipped[place] ^= 1 << bit
        yield f"bit {bit} of byte {place} flipped", bytes(flipped)
    for _ in range(3):
        cut = generator.randrange(1, len(content))
        yield f"cut to {cut} bytes", content[:cut]
    yield "empty", b""
    yield "random bytes", generator.randbytes(len(content))
    yield "zeros", bytes(len(content))
    yield "text", b"not the file that was here\n"
    yield "bytes behind the end", content + generator.randbytes(64)
