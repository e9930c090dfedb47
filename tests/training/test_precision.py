"""Precision by hardware; what is asked for by name stays."""

import pytest
import torch

from tmr.training.precision import with_precision


def test_a_precision_by_name_stays():
    assert with_precision({"precision": "16-mixed", "devices": 1})["precision"] == "16-mixed"
    assert "precision" not in with_precision({"devices": 1})


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"avx2": True, "amx_bf16": False, "avx512_bf16": False}, "32-true"),
        ({"avx2": True, "amx_bf16": True, "avx512_bf16": True}, "bf16-mixed"),
    ],
)
def test_a_cpu_trains_in_bfloat16_only_with_units_for_it(monkeypatch, flags, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags, raising=False)
    assert with_precision({"accelerator": "cpu", "precision": "auto"})["precision"] == expected
