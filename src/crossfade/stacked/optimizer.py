"""AdamW, clipping and schedule of n stacked models, each with its own learning rate, decay and number of steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from crossfade.config import OptimConfig
from crossfade.training.optim import learning_rate_factor

EPS = 1e-8  # torch's default, which a run alone has too


@dataclass
class StackedAdamW:
    """Rows of `values` (n, P) are the models' trained numbers, the last P − `plain` of them with weight decay.

    The kernel is the one of a run alone, called once a row: a row that does not step (its epoch is shorter, its loss
    is not finite) is not touched.
    """

    optims: list[OptimConfig]
    steps: list[int]  # of the whole training
    clip: float | None
    plain: int
    values: Tensor
    gradient: Tensor
    mean: Tensor  # exp_avg
    square: Tensor  # exp_avg_sq
    done: list[int]  # steps of each

    @classmethod
    def of(
        cls, values: Tensor, plain: int, optims: Sequence[OptimConfig], steps: Sequence[int], clip: float | None
    ) -> StackedAdamW:
        """At the start of the training."""
        gradient, mean, square = (torch.zeros_like(values) for _ in range(3))
        return cls(list(optims), list(steps), clip, plain, values, gradient, mean, square, [0] * len(optims))

    def __post_init__(self) -> None:
        """Steps as the kernel wants them, and views of each row's two parts: without and with weight decay."""
        self.count = [torch.tensor(float(done), dtype=torch.float32, device=self.values.device) for done in self.done]
        every = [self.values, self.gradient, self.mean, self.square]
        cuts = slice(0, self.plain), slice(self.plain, None)
        self.parts = [[[x[j, cut] for x in every] for cut in cuts] for j in range(len(self.values))]

    def rate(self, j: int) -> float:
        """Learning rate of the next step of model j."""
        o = self.optims[j]
        return o.lr * learning_rate_factor(self.done[j], self.steps[j], o.warmup, o.schedule)

    def step(self, rows: Sequence[int]) -> None:
        """Clip each of these rows' gradients to norm `clip`, then one step of AdamW (see `optim.make_optimizer`)."""
        if self.clip:
            norm = self.gradient.norm(dim=1, keepdim=True)
            self.gradient.mul_((self.clip / (norm + 1e-6)).clamp(max=1.0))
        for j in rows:
            rate, optim = self.rate(j), self.optims[j]
            self.done[j] += 1
            self.count[j] += 1
            for (value, gradient, mean, square), decay in zip(self.parts[j], (0.0, optim.weight_decay), strict=True):
                if value.numel():
                    torch._fused_adamw_(
                        [value], [gradient], [mean], [square], [], [self.count[j]], lr=rate, beta1=optim.betas[0],
                        beta2=optim.betas[1], weight_decay=decay, eps=EPS, amsgrad=False, maximize=False,
                    )  # fmt: skip

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone."""
        index = torch.tensor(rows, device=self.values.device)
        for name in ("values", "gradient", "mean", "square"):
            setattr(self, name, getattr(self, name).index_select(0, index))
        for name in ("optims", "steps", "done"):
            setattr(self, name, [getattr(self, name)[j] for j in rows])
        self.__post_init__()
