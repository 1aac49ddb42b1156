"""torch's SyncBatchNorm on a CPU: its own Python, with the five kernels that exist for GPUs alone, written from their formulas.

``torch.nn.modules._functions.SyncBatchNorm`` decides what is sent, how it is merged and what goes backward; it calls five
operators of ATen that have no CPU kernel. Here they get one each, in the arithmetic of aten/src/ATen/native/cuda/
Normalization.cuh: `batch_norm_stats` hands out 1 / sqrt(var + eps), `batch_norm_gather_stats_with_counts` takes the variance
back out of that and merges process after process.
"""

import torch
from torch.library import Library

LIBRARY = Library("aten", "IMPL")


def kernel(function):
    """Make it the CPU's kernel of the operator of that name."""
    LIBRARY.impl(function.__name__, function, "CPU")
    return function


def _over(x):
    return tuple(i for i in range(x.ndim) if i != 1)


def _along(stat, x):
    return stat.reshape((1, -1) + (1,) * (x.ndim - 2))


@kernel
def batch_norm_stats(input, eps):
    var, mean = torch.var_mean(input, dim=_over(input), correction=0)
    return mean, 1 / torch.sqrt(var + eps)


@kernel
def batch_norm_gather_stats_with_counts(input, mean, invstd, running_mean, running_var, momentum, eps, counts):
    n, total, m2 = 0.0, torch.zeros_like(mean[0]), torch.zeros_like(mean[0])
    for one, inverse, count in zip(mean, invstd, counts.tolist(), strict=True):
        within = 1 / inverse
        within = (within * within - eps) * count
        factor = 1 / (n + count)
        m2 = m2 + within + (total - one) ** 2 * (n * count * factor)
        total = n * factor * total + count * factor * one
        n += count
    if running_mean is not None:
        running_mean.mul_(1 - momentum).add_(momentum * total)
        running_var.mul_(1 - momentum).add_(momentum * m2 / (n - 1))
    return total, 1 / torch.sqrt(m2 / n + eps)


@kernel
def batch_norm_elemt(input, weight, bias, mean, invstd, eps):
    return _along(weight, input) * (input - _along(mean, input)) * _along(invstd, input) + _along(bias, input)


@kernel
def batch_norm_backward_reduce(grad_out, input, mean, invstd, weight, input_g, weight_g, bias_g):
    sum_dy = grad_out.sum(_over(input))
    sum_dy_xmu = (grad_out * (input - _along(mean, input))).sum(_over(input))
    return sum_dy, sum_dy_xmu, sum_dy_xmu * invstd, sum_dy.clone()


@kernel
def batch_norm_backward_elemt(grad_out, input, mean, invstd, weight, sum_dy, sum_dy_xmu, count):
    total = count.sum()
    slope = invstd * invstd * sum_dy_xmu / total
    inner = grad_out - _along(sum_dy / total, input) - (input - _along(mean, input)) * _along(slope, input)
    return inner * _along(weight * invstd, input)
