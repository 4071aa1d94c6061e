"""The one error a user may see without a stack trace: what is wrong, where, what is allowed, how to mend it."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable


class UserError(Exception):
    """One or several problems in what the user gave; the command line prints them and exits with `code`."""

    code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class Failure(UserError):
    """Nothing was wrong with what the user gave, but it cannot go on: a full disk, a loss that diverged."""

    code = 1


class Pruned(Failure):
    """A trial of a search is not worth its further epochs: it stands behind the others at this one."""


class ReadError(UserError):
    """A value of one sample cannot be read; `modality` says of which, so that a policy can leave just that out."""

    def __init__(self, problem: str, modality: str) -> None:
        super().__init__(problem)
        self.modality = modality

    def __reduce__(self) -> tuple[type[ReadError], tuple[str, str]]:  # a loader's worker process sends it back
        return type(self), (str(self), self.modality)


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """' Did you mean "weighted"?' for the nearest allowed word, else an empty string."""
    near = difflib.get_close_matches(str(word), [str(a) for a in allowed], n=1, cutoff=0.6)
    return f' Did you mean "{near[0]}"?' if near else ""


def show_problems(error: UserError) -> None:
    """One line a problem on stderr, under a count where there are several."""
    many = len(error.problems) > 1
    if many:
        print(f"{len(error.problems)} problems:", file=sys.stderr)
    for problem in error.problems:
        print(f"{'  - ' if many else 'Error: '}{problem}", file=sys.stderr)
