import torch

from tmr.sequences import pad, pieces


def test_pieces_hold_every_sequence_once_and_little_padding():
    generator = torch.Generator().manual_seed(0)
    lengths = [5, 40, 7, 38, 6, 12, 11]
    sequences = [torch.randn(n, 3, generator=generator) for n in lengths]
    groups = pieces(pad(sequences), 2)
    assert sorted(int(row) for rows, _ in groups for row in rows) == list(range(7))
    for rows, group in groups:
        assert group.x.shape[1] == max(lengths[row] for row in rows)
        for row, x, mask in zip(rows, group.x, group.mask, strict=True):
            assert torch.equal(x[mask], sequences[row])
    assert [len(group) for _, group in groups] == [2, 2, 2, 1]
    assert groups[0][1].x.shape[1] == 40
    assert groups[-1][1].x.shape[1] == 5
