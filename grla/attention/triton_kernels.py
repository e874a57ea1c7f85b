"""The Triton kernels of `triton_first_order`.

The grid is (batch * heads, shares): a program processes `span` tokens of one head, BLOCK at a time, in float32. Tensors
like q are (batch, heads, tokens, HEAD_DIM) and are followed by their strides; products have WIDTH channels, padded with
zeros. Sums over tokens are one (HEAD_DIM + 1, HEAD_DIM + 1) per head, of three parts called matrix, column and row:

    [[s sum_j k_j^T v_j, s sum_j k_j], [sum_j v_j, -]]        k_j: unit vectors (rows), s: slope

Their gradient has the same layout.
"""

from __future__ import annotations

import triton
import triton.language as tl

SMALLEST = tl.constexpr(1e-12)  # the least norm that vectors are divided by, as in torch.nn.functional.normalize


@triton.jit
def sum_keys(
    k, k_strides, v, v_strides, sums, slope, heads, tokens, span,
    HEAD_DIM: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """The sums over a share of keys and values."""
    matrix, column, row = _zeros(WIDTH)
    for start in range(tl.program_id(1) * span, tl.minimum((tl.program_id(1) + 1) * span, tokens), BLOCK):
        k_piece = _load(k, k_strides, heads, start, tokens, HEAD_DIM, WIDTH, BLOCK)
        v_piece = _load(v, v_strides, heads, start, tokens, HEAD_DIM, WIDTH, BLOCK)
        direction, _ = _unit(k_piece)
        matrix = tl.dot(direction.T, v_piece, matrix, input_precision=PRECISION)
        column += tl.sum(direction, 0)
        row += tl.sum(v_piece, 0)
    _store_sums(sums, slope * matrix, slope * column, row, HEAD_DIM, WIDTH)


@triton.jit
def answer(
    q, q_strides, out, out_strides, sums, num_keys, heads, tokens, span,
    HEAD_DIM: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """The outputs of a share of queries."""
    matrix, column, row = _load_sums(sums, HEAD_DIM, WIDTH)
    for start in range(tl.program_id(1) * span, tl.minimum((tl.program_id(1) + 1) * span, tokens), BLOCK):
        direction, _ = _unit(_load(q, q_strides, heads, start, tokens, HEAD_DIM, WIDTH, BLOCK))
        total = num_keys + tl.sum(direction * column, 1, keep_dims=True)
        piece = (tl.dot(direction, matrix, input_precision=PRECISION) + row) / total
        _store(out, out_strides, piece, heads, start, tokens, HEAD_DIM, WIDTH, BLOCK)


@triton.jit
def query_gradients(
    q, q_strides, grad, grad_strides, grad_q, grad_q_strides, sums, grad_sums, num_keys, slope, heads, tokens, span,
    HEAD_DIM: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """The gradients of a share of queries, and their part in the gradient of the sums."""
    matrix, column, row = _load_sums(sums, HEAD_DIM, WIDTH)
    by_matrix, by_column, by_row = _zeros(WIDTH)
    for start in range(tl.program_id(1) * span, tl.minimum((tl.program_id(1) + 1) * span, tokens), BLOCK):
        direction, norm = _unit(_load(q, q_strides, heads, start, tokens, HEAD_DIM, WIDTH, BLOCK))
        total = num_keys + tl.sum(direction * column, 1, keep_dims=True)
        by_sum = _load(grad, grad_strides, heads, start, tokens, HEAD_DIM, WIDTH, BLOCK) / total
        by_direction = tl.dot(by_sum, matrix.T, input_precision=PRECISION)
        # by_sum . out without out: its numerator is direction @ matrix + row.
        by_total = -tl.sum(direction * by_direction + by_sum * row, 1, keep_dims=True) / total
        by_direction += by_total * column
        piece = _through_unit(direction, norm, by_direction)
        _store(grad_q, grad_q_strides, piece, heads, start, tokens, HEAD_DIM, WIDTH, BLOCK)
        by_matrix = tl.dot(direction.T, by_sum, by_matrix, input_precision=PRECISION)
        by_column += tl.sum(direction * by_total, 0)
        by_row += tl.sum(by_sum, 0)
    _store_sums(grad_sums, slope * by_matrix, slope * by_column, by_row, HEAD_DIM, WIDTH)


@triton.jit
def key_gradients(
    k, k_strides, v, v_strides, grad_k, grad_k_strides, grad_v, grad_v_strides, grad_sums, heads, tokens, span,
    HEAD_DIM: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """The gradients of a share of keys and values."""
    by_matrix, by_column, by_row = _load_sums(grad_sums, HEAD_DIM, WIDTH)
    for start in range(tl.program_id(1) * span, tl.minimum((tl.program_id(1) + 1) * span, tokens), BLOCK):
        direction, norm = _unit(_load(k, k_strides, heads, start, tokens, HEAD_DIM, WIDTH, BLOCK))
        v_piece = _load(v, v_strides, heads, start, tokens, HEAD_DIM, WIDTH, BLOCK)
        by_value = tl.dot(direction, by_matrix, input_precision=PRECISION) + by_row
        _store(grad_v, grad_v_strides, by_value, heads, start, tokens, HEAD_DIM, WIDTH, BLOCK)
        by_direction = tl.dot(v_piece, by_matrix.T, input_precision=PRECISION) + by_column
        piece = _through_unit(direction, norm, by_direction)
        _store(grad_k, grad_k_strides, piece, heads, start, tokens, HEAD_DIM, WIDTH, BLOCK)


@triton.jit
def _unit(x):
    """Directions (BLOCK, WIDTH) and norms (BLOCK, 1) of vectors."""
    norm = tl.maximum(tl.sqrt(tl.sum(x * x, 1, keep_dims=True)), SMALLEST)
    return x / norm, norm


@triton.jit
def _through_unit(direction, norm, grad):
    """The gradient with respect to vectors, given that with respect to their directions."""
    return (grad - direction * tl.sum(direction * grad, 1, keep_dims=True)) / norm


@triton.jit
def _load(x, strides, heads, start, tokens, HEAD_DIM: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """BLOCK tokens of this program's head as float32 (BLOCK, WIDTH), padded with zeros."""
    places, exist = _places(x, strides, heads, start, tokens, HEAD_DIM, WIDTH, BLOCK)
    return tl.load(places, exist, other=0.0).to(tl.float32)


@triton.jit
def _store(x, strides, piece, heads, start, tokens, HEAD_DIM: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """The inverse of `_load`."""
    places, exist = _places(x, strides, heads, start, tokens, HEAD_DIM, WIDTH, BLOCK)
    tl.store(places, piece.to(x.dtype.element_ty), exist)


@triton.jit
def _places(x, strides, heads, start, tokens, HEAD_DIM: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """Pointers (BLOCK, WIDTH) to tokens of this program's head from `start` on, and the mask of those that exist."""
    head = tl.program_id(0).to(tl.int64)  # large tensors have more elements than 32 bits can index
    x += head // heads * strides[0] + head % heads * strides[1] + tl.cast(start, tl.int64) * strides[2]
    token, channel = tl.arange(0, BLOCK)[:, None], tl.arange(0, WIDTH)[None, :]
    return x + token * strides[2] + channel * strides[3], (start + token < tokens) & (channel < HEAD_DIM)


@triton.jit
def _zeros(WIDTH: tl.constexpr):
    """Empty sums: matrix (WIDTH, WIDTH), column (WIDTH,) and row (WIDTH,)."""
    line = tl.zeros((WIDTH,), tl.float32)
    return tl.zeros((WIDTH, WIDTH), tl.float32), line, line


@triton.jit
def _load_sums(sums, HEAD_DIM: tl.constexpr, WIDTH: tl.constexpr):
    """The sums of this program's head: matrix, column and row, padded with zeros."""
    channel = tl.arange(0, WIDTH)
    matrix, column, row = _sums_places(sums, tl.program_id(0), channel, HEAD_DIM)
    exist = channel < HEAD_DIM
    both = exist[:, None] & exist[None, :]
    return tl.load(matrix, both, other=0.0), tl.load(column, exist, other=0.0), tl.load(row, exist, other=0.0)


@triton.jit
def _store_sums(sums, matrix, column, row, HEAD_DIM: tl.constexpr, WIDTH: tl.constexpr):
    """Write the sums of this program's share of tokens."""
    share = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    channel = tl.arange(0, WIDTH)
    to_matrix, to_column, to_row = _sums_places(sums, share, channel, HEAD_DIM)
    exist = channel < HEAD_DIM
    tl.store(to_matrix, matrix, exist[:, None] & exist[None, :])
    tl.store(to_column, column, exist)
    tl.store(to_row, row, exist)


@triton.jit
def _sums_places(sums, index, channel, HEAD_DIM: tl.constexpr):
    """Pointers to matrix, column and row of the sums number `index`."""
    sums += tl.cast(index, tl.int64) * (HEAD_DIM + 1) * (HEAD_DIM + 1)
    row = channel * (HEAD_DIM + 1)
    return sums + row[:, None] + channel[None, :], sums + row + HEAD_DIM, sums + HEAD_DIM * (HEAD_DIM + 1) + channel
