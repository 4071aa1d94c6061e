"""How much each key of a search's space tells the better trials from the others."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crossfade.search.space import Dimension, Space
from crossfade.search.trials import Trial
from crossfade.search.validation import Judge

if TYPE_CHECKING:
    import optuna

LEAST = 8  # finished trials that say something of a setting's importance


def importance_of(trials: Sequence[Trial], space: Space, judge: Judge) -> dict[str, float]:
    """Each key's share of 1 (PED-ANOVA, Watanabe et al. 2023, IJCAI), the largest first.

    Empty with fewer than `LEAST` finished trials, fewer than two keys or three different values, and without Optuna,
    whose evaluator it is. Keys that play no part in some of the trials, as α in `sum`, are left out.
    """
    done = [trial for trial in trials if trial.state == "finished"]
    keys = [key for key in space.keys if all(key in trial.params for trial in done)]
    values = {trial.values["metric"] for trial in done}
    if len(done) < LEAST or len(keys) < 2 or len(values) < 3 or importlib.util.find_spec("optuna") is None:
        return {}
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    of = {d.key: d for d in space.dimensions}
    known = {key: distribution for key, distribution in distributions(space).items() if key in keys}
    study = optuna.create_study()
    sign = -1 if judge.direction == "max" else 1  # it asks what makes the value small
    for trial in done:
        params = {key: _value(of[key], trial.params[key]) for key in keys}
        value = sign * trial.values["metric"]
        study.add_trial(optuna.trial.create_trial(params=params, distributions=known, value=value))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*low `target` values.*")
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        return optuna.importance.get_param_importances(study, evaluator=evaluator)


def _value(dimension: Dimension, value: Any) -> Any:
    """As the distribution has it: a number within the ends in spite of its rounding."""
    if dimension.choices:
        return value
    number = min(max(float(value), dimension.low), dimension.high)
    return round(number) if dimension.whole else number


def distributions(space: Space) -> dict[str, optuna.distributions.BaseDistribution]:
    """The dimensions in Optuna's words."""
    return {dimension.key: _distribution(dimension) for dimension in space.dimensions}


def _distribution(dimension: Dimension) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if dimension.choices:
        return CategoricalDistribution(dimension.choices)
    if dimension.whole:
        step = 1 if dimension.log else int(dimension.step or 1)
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log, step=step)
    grid = None if dimension.log else dimension.step
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log, step=grid)
