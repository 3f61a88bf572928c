"""Sums of weighted rows and their gradients against plain indexing and autograd's numerical check."""

import torch

from grokinterp.models._sparse import MixedRows, relu_mlp_of_mixed_rows


def case(pairs: int = 17, mixed: int = 6, n_rows: int = 10, width: int = 5, dtype: torch.dtype = torch.float64):
    generator = torch.Generator().manual_seed(0)
    # Sorted and distinct within a pair, as rows of different heads are; row 3 is never mixed.
    allowed = torch.tensor([row for row in range(n_rows) if row != 3])
    index = torch.stack(
        [allowed[torch.randperm(len(allowed), generator=generator)[:mixed]].sort().values for _ in range(pairs)]
    )
    mix = torch.randn(pairs, mixed, generator=generator, dtype=dtype)
    table = torch.randn(n_rows, width, generator=generator, dtype=dtype)
    grad = torch.randn(pairs, width, generator=generator, dtype=dtype)
    return MixedRows(index, n_rows), mix, table, grad


def test_mixing_and_both_gradients_are_those_of_plain_indexing():
    rows, mix, table, grad = case()
    mix.requires_grad_(), table.requires_grad_()
    plain = (mix[:, :, None] * table[rows.index]).sum(1)
    expected_mix, expected_table = torch.autograd.grad(plain, (mix, table), grad)
    with torch.no_grad():
        torch.testing.assert_close(rows.mix(mix, table), plain)
        torch.testing.assert_close(rows.mix_gradient(grad, table), expected_mix)
        torch.testing.assert_close(rows.table_gradient(mix, grad), expected_table)
    assert (expected_table[3] == 0).all()


def test_the_whole_function_passes_autograds_numerical_check():
    rows, mix, neuron_rows, _ = case(width=7)
    _, _, logit_rows, _ = case(width=4)
    generator = torch.Generator().manual_seed(1)
    bias, W, c = (torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((7,), (7, 4), (4,)))
    inputs = [value.requires_grad_() for value in (mix, neuron_rows, bias, W, logit_rows.flip(0), c)]
    assert torch.autograd.gradcheck(lambda *values: relu_mlp_of_mixed_rows(rows, *values), inputs)


def test_results_repeat_bit_for_bit():
    rows, mix, table, grad = case(pairs=3000, mixed=8, n_rows=904, width=512, dtype=torch.float32)
    for function, arguments in (
        (rows.mix, (mix, table)),
        (rows.mix_gradient, (grad, table)),
        (rows.table_gradient, (mix, grad)),
    ):
        first = function(*arguments)
        assert all(torch.equal(function(*arguments), first) for _ in range(5))
