"""`crossfade train | evaluate | predict`. The commands check what they are given before anything heavy is imported."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import crossfade
from crossfade.errors import UserError, did_you_mean
from crossfade.screen import lasting_output

USAGE = 2  # exit code: the user's input is at fault; 1: the program failed


def _train(arguments: list[str]) -> None:
    from crossfade.commands.train import main

    main(arguments)


def _evaluate(arguments: list[str]) -> None:
    from crossfade.commands.evaluate import main

    main(arguments)


def _predict(arguments: list[str]) -> None:
    from crossfade.commands.predict import main

    main(arguments)


COMMANDS: dict[str, tuple[Callable[[list[str]], None], str]] = {
    "train": (_train, "train a model, or a sweep of them with -m"),
    "evaluate": (_evaluate, "rebuild a run from its folder and score it"),
    "predict": (_predict, "write a run's predictions for a manifest of new samples"),
}


def run(command: str, arguments: Sequence[str]) -> int:
    """Run one command; print a UserError as its list of problems. Returns the exit code."""
    try:
        with lasting_output():
            COMMANDS[command][0](list(arguments))
    except UserError as error:
        show_problems(error)
        return error.code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def show_problems(error: UserError) -> None:
    """One line a problem on stderr, under a count where there are several."""
    many = len(error.problems) > 1
    if many:
        print(f"{len(error.problems)} problems:", file=sys.stderr)
    for problem in error.problems:
        print(f"{'  - ' if many else 'Error: '}{problem}", file=sys.stderr)


def main() -> None:
    """The entry point of `crossfade`."""
    command, *arguments = sys.argv[1:] or ["--help"]
    if command in ("-h", "--help", "help"):
        from crossfade.commands.help import show_commands

        show_commands({name: text for name, (_, text) in COMMANDS.items()})
    elif command in ("-V", "--version"):
        print(f"crossfade {crossfade.__version__}")
    elif command in ("-sc", "--shell-completion"):
        from crossfade.commands.completion import answer

        answer(arguments)
    elif command in COMMANDS:
        sys.exit(run(command, arguments))
    else:
        known = [*COMMANDS, "--help", "--version"]
        show_problems(
            UserError(
                f"crossfade {command}: no such command.{did_you_mean(command, known)} There are {', '.join(known)}."
            )
        )
        sys.exit(USAGE)
