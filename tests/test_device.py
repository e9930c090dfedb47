"""Devices and precisions by name."""

import pytest
import torch

from tmr.device import choose_device, fastest_precision, full_float32, matmul_dtype
from tmr.errors import InputError

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


def test_a_device_that_is_there_is_taken_by_name() -> None:
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


@no_gpu
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:7"])
def test_a_gpu_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=rf"device={name}: .*use device=auto"):
        choose_device(name)


@pytest.mark.parametrize("name", ["gpu", "", "meta", "cuda:x", "CPU"])
def test_other_names_are_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(InputError, match="expected auto, cpu, cuda, cuda:NUMBER or mps"):
        choose_device(name)


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({"amx_bf16": True}, "bf16"), ({"avx512_bf16": True}, "bf16"), ({"avx2": True}, "fp32")],
)
def test_bf16_is_fastest_only_where_the_cpu_has_units_for_it(capabilities, expected, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert fastest_precision("cpu") == expected
    assert fastest_precision("mps") == "fp32"


def test_matrix_products_have_the_precision_of_the_context() -> None:
    one = torch.full((8, 8), 1 + 2**-12)
    with matmul_dtype("cpu", "bf16"):
        assert (one @ one).dtype == torch.bfloat16
    torch.set_float32_matmul_precision("high")
    try:
        with matmul_dtype("cpu", "fp32"):
            assert (one @ one).dtype == torch.float32
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "high"
        with pytest.raises(RuntimeError), full_float32():
            raise RuntimeError
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match="precision=fp8: expected one of fp32, bf16"):
        matmul_dtype("cpu", "fp8")
