"""What an optimiser is told of a head: who gets weight decay, and that rows without a gradient stand still."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def parameter_groups(*modules: nn.Module, weight_decay: float = 5e-4) -> list[dict[str, Any]]:
    """What an optimiser takes: matrices and filters, centres among them, with weight decay, and vectors without.

    Vectors are biases, the scale and shift of batch normalisation, PReLU's slopes, UniFace's threshold. Pass the
    margin too where it is a module.
    """
    unique = {id(p): p for module in modules for p in module.parameters() if p.requires_grad}
    decay = [p for p in unique.values() if p.ndim > 1]
    free = [p for p in unique.values() if p.ndim <= 1]
    return [{"params": decay, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]


def by_rows(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Make an optimiser move only the rows that a sparse gradient names, as if the others did not exist; returns it.

    For the centres of ``PartialFC``: without it SGD refuses a sparse gradient together with weight decay, and its
    momentum would move centres that were not drawn. Parameters with a dense gradient are moved as ever. Works with any
    optimiser of PyTorch that treats each number by itself (SGD, Adam, AdamW), for ``step()`` without a closure.

    Each step hands the optimiser a copy of the named rows, of the centres and of what it keeps for them, and writes
    both back: memory for a moment, in the share of rows drawn. What the optimiser keeps for each row is
    of full size; Adam's number of steps counts those of the whole parameter.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer

    Returns
    -------
    The same optimiser.
    """
    taken: list[_Rows] = []

    def take(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups:
            for p in group["params"]:
                if p.grad is not None and p.grad.is_sparse:
                    taken.append(_Rows(p, p.grad, optimizer.state[p]))

    def put(*_: Any) -> None:
        while taken:
            taken.pop().put_back()

    optimizer.register_step_pre_hook(take)
    optimizer.register_step_post_hook(put)
    return optimizer


class _Rows:
    """Some rows of a parameter in its place, with their gradient and the optimiser's state, for one step."""

    def __init__(self, parameter: Tensor, gradient: Tensor, state: dict[str, Any]) -> None:
        self.parameter, self.gradient, self.state = parameter, gradient, state
        self.whole = parameter.data
        self.rows, values = _rows_of(gradient)
        self.kept = {name: value for name, value in state.items() if self._is_by_row(value, self.whole)}
        parameter.grad = None  # a gradient must have the shape of its parameter at all times
        parameter.data = self.whole[self.rows]
        parameter.grad = values
        state.update({name: value[self.rows] for name, value in self.kept.items()})

    @staticmethod
    def _is_by_row(value: Any, like: Tensor) -> bool:
        return isinstance(value, Tensor) and value.shape == like.shape

    def put_back(self) -> None:
        part = self.parameter.data
        for name, value in self.state.items():
            if self._is_by_row(value, part):
                whole = self.kept[name] if name in self.kept else torch.zeros_like(self.whole, dtype=value.dtype)
                self.state[name] = whole.index_copy_(0, self.rows, value)
        self.parameter.grad = None
        self.parameter.data = self.whole.index_copy_(0, self.rows, part)
        self.parameter.grad = self.gradient


def _rows_of(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Rows that a sparse gradient names, each once, and their values."""
    rows = gradient._indices()[0]
    if not bool((rows[1:] > rows[:-1]).all()):  # several draws before one step; else there is nothing to put in order
        gradient = gradient.coalesce()
    return gradient._indices()[0], gradient._values()
