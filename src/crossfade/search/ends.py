"""The ends of a search's space, looked at before the first trial."""

from __future__ import annotations

from crossfade.config.compose import to_plain
from crossfade.config.cross import cross_problems
from crossfade.config.explain import problems_of
from crossfade.config.parts import part_problems
from crossfade.errors import UserError
from crossfade.search.space import Space
from crossfade.sweeps.planning import Compose


def check_ends(space: Space, compose: Compose) -> None:
    """Raise UserError for what is wrong with an end of a range or with a choice, by itself.

    Faults between two keys are left to the trials, as another point of the space may not have them. α may be idle at
    some points, but not at all of them.
    """
    found: dict[str, None] = {}
    raws = [to_plain(compose(settings), settings) for settings in space.ends()]
    used = any("alpha" in raw["fusion"] for raw in raws)
    for raw in raws:
        _, faults = problems_of(raw)
        faults |= part_problems(raw)
        if "alpha" in raw["fusion"] or not used:
            crossed = cross_problems(raw, faults)
            faults |= {key: text for key, text in crossed.items() if key.startswith(("alpha", "fusion.alpha"))}
        found.update(dict.fromkeys(faults.values()))
    if found:
        raise UserError(*found)
