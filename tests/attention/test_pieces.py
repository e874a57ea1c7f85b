"""Attention computed in pieces of tokens equals the definition, however small the pieces are."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from grla.attention import build_kernel, pieces
from grla.attention.first_order import first_order_attention


def tokens(batch: int, heads: int, queries: int, keys: int, head_dim: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(queries + 100 * keys)
    shapes = [(batch, heads, count, head_dim) for count in (queries, keys, keys)]
    return [torch.randn(s, generator=generator, dtype=torch.float64, requires_grad=True) for s in shapes]


def definition(q: Tensor, k: Tensor, v: Tensor, slope: float) -> Tensor:
    """The formula, weight by weight."""
    directions = [x / x.norm(dim=-1, keepdim=True) for x in (q, k)]
    weights = 1 + slope * directions[0] @ directions[1].mT
    return weights / weights.sum(-1, keepdim=True) @ v


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 2), st.integers(1, 3), st.integers(1, 30), st.integers(1, 30), st.integers(1, 12),
    st.floats(0.01, 0.9), st.integers(1, 400),
)  # fmt: skip
def test_first_order_attention_is_its_formula_and_has_its_gradient(
    batch: int, heads: int, queries: int, keys: int, head_dim: int, slope: float, piece: int
) -> None:
    inputs = tokens(batch, heads, queries, keys, head_dim)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE", piece)
        out = first_order_attention(*inputs, slope)
        probe = torch.randn_like(out)
        gradients = torch.autograd.grad(out, inputs, probe)
    slow = definition(*inputs, slope)
    torch.testing.assert_close(out, slow, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(gradients, torch.autograd.grad(slow, inputs, probe), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("piece", [1, 50, 10_000])
@pytest.mark.parametrize("name", ["gaussian_rbf", "taylor", "rbf_ridge"])
def test_kernels_that_work_in_pieces_equal_their_weights(
    name: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE", piece)
    kernel = build_kernel(name, 6, 2)
    q, k, v = tokens(2, 2, 9, 14, 6)
    torch.testing.assert_close(kernel(q, k, v), kernel.weights(q, k) @ v, rtol=1e-9, atol=1e-11)


def test_pieces_cover_all_tokens_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 24)
    x, y = torch.arange(40.0).view(1, 10, 4), torch.arange(10.0).view(1, 10, 1)
    cut = list(pieces.pieces(x, y))
    assert [part.shape[1] for part, _ in cut] == [6, 4]
    assert torch.equal(torch.cat([part for part, _ in cut], dim=1), x)
    assert torch.equal(torch.cat([part for _, part in cut], dim=1), y)


def test_gradients_of_gradients_are_refused_and_not_wrong() -> None:
    q, k, v = tokens(1, 1, 3, 3, 4)
    (gradient,) = torch.autograd.grad(first_order_attention(q, k, v, 0.5).sum(), q, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        gradient.sum().backward()
