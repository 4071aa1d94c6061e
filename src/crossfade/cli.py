"""The commands. Each checks what it is given before anything heavy is imported."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import crossfade
from crossfade.errors import UserError, did_you_mean, show_problems
from crossfade.screen import lasting_output

# each is `main` of the module of its name in crossfade.commands
COMMANDS = {
    "train": "train a model, or a sweep of them with -m",
    "advise": "say which families of fusion should win and why; after a sweep, whether they did",
    "sweep": "go on with a sweep that was stopped, or see how far it is",
    "evaluate": "rebuild a run from its folder and score it",
    "compare": "compare runs or sweeps: which is best, and what cannot be told from it",
    "report": "write one HTML page about a run or a sweep: tables, figures, mistakes, cost",
    "explain": "show where a run's model looks, in images, words, columns and time",
    "ceiling": "train a model on just the modalities of each pattern, to compare a run with",
    "stress": "corrupt and attack each modality of a run, and see what is left",
    "audit": "check the properties that a fusion must have",
    "dashboard": "make a W&B workspace and report of a sweep",
    "predict": "write a run's predictions for a manifest of new samples",
    "cache": "list or clear what is kept on disk for all runs: features of frozen encoders, rendered data",
}


FLAGS = ("--help", "--version")


def run(command: str, arguments: Sequence[str]) -> int:
    """Run one command; print a UserError as its list of problems. Returns the exit code."""
    try:
        with lasting_output():
            import_module(f"crossfade.commands.{command}").main(list(arguments))
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

        show_commands(COMMANDS)
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
