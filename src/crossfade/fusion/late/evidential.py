"""Evidential fusion: opinions with an uncertainty, combined by Dempster's rule."""

from __future__ import annotations

from typing import ClassVar

from crossfade.fusion.late.branches import Branches


class Evidential(Branches):
    """b = b_1 ⊕ … ⊕ b_M, Dempster's rule over the opinions of those present: (B, M, K, D) → (B, M, K, D).

    The outputs of C classes are evidence e = softplus(o), a Dirichlet with α = e + 1: beliefs e/Σα, uncertainty C/Σα.
    The combined Dirichlet's mean is the prediction, trained by the target's own loss in the place of the paper's
    integrated one. A label of several is two classes, yes and no. Other kinds of target than these two take the mean.

    Absent: no evidence, full uncertainty: the rule's neutral element
    Source: Han et al. 2021, arXiv:2102.02051 (TMC), section 3
    Cost: M·D parameters, 0 FLOPs; core and heads run M times
    """

    mixing: ClassVar[str] = "evidence"
