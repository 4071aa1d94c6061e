"""The commands. Each checks what it is given before anything heavy is imported."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import crossfade
from crossfade.errors import UserError, did_you_mean, show_problems
from crossfade.screen import lasting_output


def _train(arguments: list[str]) -> None:
    from crossfade.commands.train import main

    main(arguments)


def _evaluate(arguments: list[str]) -> None:
    from crossfade.commands.evaluate import main

    main(arguments)


def _predict(arguments: list[str]) -> None:
    from crossfade.commands.predict import main

    main(arguments)


def _compare(arguments: list[str]) -> None:
    from crossfade.commands.compare import main

    main(arguments)


def _report(arguments: list[str]) -> None:
    from crossfade.commands.report import main

    main(arguments)


def _audit(arguments: list[str]) -> None:
    from crossfade.commands.audit import main

    main(arguments)


def _sweep(arguments: list[str]) -> None:
    from crossfade.commands.sweep import main

    main(arguments)


def _stress(arguments: list[str]) -> None:
    from crossfade.commands.stress import main

    main(arguments)


COMMANDS: dict[str, tuple[Callable[[list[str]], None], str]] = {
    "train": (_train, "train a model, or a sweep of them with -m"),
    "sweep": (_sweep, "go on with a sweep that was stopped, or see how far it is"),
    "evaluate": (_evaluate, "rebuild a run from its folder and score it"),
    "compare": (_compare, "compare runs or sweeps: which is best, and what cannot be told from it"),
    "report": (_report, "write one HTML page about a run or a sweep: tables, figures, verdicts"),
    "stress": (_stress, "corrupt and attack each modality of a run, and see what is left"),
    "audit": (_audit, "check the properties that a fusion must have"),
    "predict": (_predict, "write a run's predictions for a manifest of new samples"),
}


FLAGS = ("--help", "--version")


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

        answer(arguments, [*COMMANDS, *FLAGS])
    elif command in COMMANDS:
        sys.exit(run(command, arguments))
    else:
        known = [*COMMANDS, *FLAGS]
        error = UserError(
            f"crossfade {command}: no such command.{did_you_mean(command, known)} There are {', '.join(known)}."
        )
        show_problems(error)
        sys.exit(error.code)
