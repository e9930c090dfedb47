"""The device to compute on, and the precision of its matrix products."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

from tmr.errors import InputError

PRECISIONS = ("fp32", "bf16")


def choose_device(name: str) -> str:
    """``auto`` is the CUDA GPU when there is one, else the CPU; any other name stands.

    Raises:
        InputError: the device is requested but unavailable, or no device has the name.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda", "mps"):
        raise InputError(f"device={name}: expected auto, cpu, cuda, cuda:NUMBER or mps")
    count = {"cuda": torch.cuda.device_count(), "mps": torch.backends.mps.is_available()}
    if (device.index or 0) >= count.get(device.type, 1):
        raise InputError(
            f"device={name}: torch {torch.__version__} finds no such device here; use device=auto "
            "or device=cpu"
        )
    return name


def fastest_precision(device: torch.device | str) -> str:
    """``bf16`` where the hardware multiplies bfloat16 faster than float32, ``fp32`` elsewhere.

    That is a CUDA GPU since Ampere, or a CPU with AMX or AVX512-BF16 units: elsewhere bfloat16 is
    emulated and slower.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    # Older versions of torch have no such function.
    capabilities = getattr(torch.cpu, "get_capabilities", dict)() if kind == "cpu" else {}
    native = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    return "bf16" if native else "fp32"


@contextmanager
def full_float32() -> Iterator[None]:
    """A context without TF32: float32 matrix products in full, whatever the process allows."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def matmul_dtype(device: torch.device | str, precision: str) -> AbstractContextManager:
    """A context in which matrix products on ``device`` are computed in this precision.

    In ``bf16``, means and normalizations stay in float32.

    Raises:
        InputError: no such precision.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision={precision}: expected one of {', '.join(PRECISIONS)}")
    if precision == "fp32":
        return full_float32()
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)
