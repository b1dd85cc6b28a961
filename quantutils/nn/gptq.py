"""GPTQ: weights rounded one input at a time, each rounding's error made up for by the weights not yet rounded.

Source: Frantar, Ashkboos, Hoefler, Alistarh 2022, "GPTQ: Accurate Post-Training Quantization for Generative
Pre-trained Transformers", section 3 and algorithm 1; here a block of its lazy updates is one group of weights.
"""

import torch

from quantutils.arrays import real_array
from quantutils.checks import flag, instance
from quantutils.kernels.arguments import float32_numbers
from quantutils.nn.schemes import WeightScheme
from quantutils.nn.weights import QuantizedWeight

SHRINKS = torch.linspace(0.6, 1.0, 21)


def gram_matrix(x):
    """Σ x·xᵀ over all vectors along the last axis of a layer's input: float64 (inputs, inputs).

    x: float (…, inputs). The error that rounded weights w + d make on these inputs is d·G·dᵀ, so G says which
    errors cost much and which make up for one another. Raises TypeError or ValueError as `real_array`.
    """
    rows, _ = real_array(instance(x, torch.Tensor, "x"), "x")
    if rows.ndim == 0:
        raise ValueError("x has shape (); accepted: (…, inputs)")
    rows = rows.reshape(-1, rows.shape[-1])
    if rows.dtype == torch.float32:  # twice as fast, and nearly always enough
        gram = (rows.T @ rows).double()
        if bool(torch.isfinite(gram).all()):
            return gram
    rows = rows.double()
    return rows.T @ rows


def searched_scale(weight, scheme, importance):
    """For each group (or channel) the scale with the least Σ importance · (w − ŵ)²: float32, its shape as in a
    QuantizedWeight.

    weight: float (outputs, inputs). importance: float (inputs,), not negative; the diagonal of `gram_matrix`, say.
    Tried are 21 scales, from 0.6 to 1 times the one that reaches the largest magnitude.
    Raises TypeError or ValueError for other types, shapes or numbers, and for a scheme per tensor.
    """
    weight, importance = _matrix(weight), _importance(importance, weight)
    grouped = weight.reshape(len(weight), -1, _width(scheme, weight.shape[1]))
    cost = importance.float().reshape(1, *grouped.shape[1:])
    best = widest = scheme.covering_scale(grouped)
    least = torch.full_like(best, torch.inf)
    for shrink in SHRINKS.flip(0):  # from the widest range: of equal costs it stays
        scale = shrink * widest
        error = ((grouped - scheme.codes(grouped, scale[..., None]) * scale[..., None]) ** 2 * cost).sum(2)
        best, least = torch.where(error < least, scale, best), torch.minimum(error, least)
    return best if scheme.per == "group" else best[:, 0]


def gptq(weight, gram, scheme, search=False, damping=0.01):
    """A QuantizedWeight whose layer, on the inputs of `gram`, is nearer to the float layer than rounding to nearest.

    For each input j in turn, with U the upper Cholesky factor of (G + damping · mean(diag G) · I)⁻¹:
    q_j = code of w_j; e = (w_j − ŵ_j) / U_jj; w_k ← w_k − e·U_jk for every later input k (equations 2 and 3).
    weight: float (outputs, inputs). gram: float (inputs, inputs), from `gram_matrix`, added up over all data.
    scheme: WeightScheme per channel or in groups, whose scales are chosen when the group's turn comes.
    search: choose them with `searched_scale`; otherwise they reach the largest magnitude.
    Raises TypeError or ValueError for other types, shapes or numbers, and for a scheme per tensor.
    """
    weight = _matrix(weight)
    inputs = weight.shape[1]
    width, search = _width(scheme, inputs), flag(search, "search")
    factor = _factor(gram, inputs, damping)
    work, codes, scales = weight.double(), torch.empty(weight.shape, dtype=torch.int8), []
    for start in range(0, inputs, width):
        group = slice(start, start + width)
        block, within = work[:, group].clone(), factor[group, group]
        if search:
            scale = searched_scale(block.float(), _of_channels(scheme), within.diag() ** -2)
        else:
            scale = scheme.covering_scale(block.float())
        errors = torch.empty_like(block)
        for j in range(block.shape[1]):
            codes[:, start + j] = scheme.codes(block[:, j], scale)
            errors[:, j] = (block[:, j] - codes[:, start + j] * scale) / within[j, j]
            block[:, j + 1 :] -= errors[:, j, None] * within[j, j + 1 :]
        work[:, start + width :] -= errors @ factor[group, start + width :]
        scales.append(scale)
    scale = torch.stack(scales, 1) if scheme.per == "group" else scales[0]
    return QuantizedWeight.from_codes(codes, scale, scheme)


def _matrix(weight):
    weight, _ = real_array(instance(weight, torch.Tensor, "weight"), "weight", allow_empty=False)
    if weight.ndim != 2:
        raise ValueError(f"weight has shape {tuple(weight.shape)}; accepted: (outputs, inputs)")
    return float32_numbers(weight, "weight").detach()


def _importance(importance, weight):
    importance, _ = real_array(instance(importance, torch.Tensor, "importance"), "importance")
    if importance.shape != weight.shape[1:] or bool((importance < 0).any()):
        raise ValueError(
            f"importance has shape {tuple(importance.shape)}; accepted: {tuple(weight.shape[1:])}, none below 0"
        )
    return importance


def _width(scheme, inputs):
    """How many inputs share one scale."""
    if instance(scheme, WeightScheme, "scheme").per == "tensor":
        raise ValueError(f"scheme is {scheme}; accepted: per channel or per group")
    width = scheme.group_size or inputs
    if inputs % width:
        raise ValueError(f"scheme has group_size {width} for a weight of {inputs} inputs; accepted: a divisor of it")
    return width


def _of_channels(scheme):
    """The same codes with one scale an output: how one group is seen on its own."""
    return WeightScheme(scheme.bits, "channel", None, scheme.full_range)


def _factor(gram, inputs, damping):
    """The upper Cholesky factor of the inverse of the damped Gram matrix, float64."""
    if isinstance(damping, bool) or not isinstance(damping, (int, float)) or not 0 <= damping <= 1:
        raise ValueError(f"damping is {damping!r}; accepted: a number from 0 to 1")
    gram, _ = real_array(instance(gram, torch.Tensor, "gram"), "gram")
    if gram.shape != (inputs, inputs):
        raise ValueError(f"gram has shape {tuple(gram.shape)}; accepted: ({inputs}, {inputs}), as weight has inputs")
    gram = gram.double().clone()
    mean = gram.diagonal().mean()
    # An input that is always zero may be rounded as it likes; without this, nothing could be inverted.
    gram.diagonal()[gram.diagonal() == 0] = mean if mean > 0 else 1.0
    gram.diagonal().add_(damping * gram.diagonal().mean())
    lower, trouble = torch.linalg.cholesky_ex(gram)
    if trouble:
        raise ValueError("gram is no sum of x·xᵀ, or too few inputs went into it; accepted: more data, or more damping")
    return torch.linalg.cholesky(torch.cholesky_inverse(lower), upper=True)
