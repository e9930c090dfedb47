import torch

from tmr.sequences import pack, sequence_and_position, starts


def test_packing_puts_sequences_one_after_the_other() -> None:
    sequences = [torch.randn(length, 3) for length in (2, 4, 1)]
    packed = pack(sequences)
    assert (len(packed), packed.lengths, packed.x.shape) == (3, (2, 4, 1), (7, 3))
    assert torch.equal(packed.x[2:6], sequences[1])
    for sequence, found in zip(sequences, packed.unpack(), strict=True):
        assert torch.equal(sequence, found)
    assert packed.to("cpu").lengths == packed.lengths


def test_each_row_knows_its_sequence_and_its_position_there() -> None:
    assert starts((2, 4, 1)) == [0, 2, 6]
    sequence, position = sequence_and_position((2, 4, 1), "cpu")
    assert sequence.tolist() == [0, 0, 1, 1, 1, 1, 2]
    assert position.tolist() == [0, 1, 0, 1, 2, 3, 0]
