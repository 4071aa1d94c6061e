"""Shell completion of `crossfade`: its commands, and Hydra's answers behind `crossfade train`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

BASH = """\
_crossfade() {
    local IFS=$'\\n'
    COMPREPLY=($(COMP_LINE="$COMP_LINE" crossfade -sc query=bash))
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
complete -o nospace -o default -F _crossfade crossfade"""


def answer(arguments: Sequence[str], words: Sequence[str]) -> None:
    """`crossfade -sc install=bash` prints the script for eval; `query=bash` the words that fit $COMP_LINE.

    `words` are those that may stand first: the commands.
    """
    if list(arguments) == ["install=bash"]:
        print(BASH)
    elif list(arguments) == ["uninstall=bash"]:
        print("complete -r crossfade; unset -f _crossfade")
    elif list(arguments) == ["query=bash"]:
        _query(os.environ.get("COMP_LINE", ""), words)
    else:
        print(f"crossfade -sc {' '.join(arguments)}: bash only. Give install=bash.", file=sys.stderr)
        raise SystemExit(2)


def _query(line: str, commands: Sequence[str]) -> None:
    words = line.split(" ")
    if len(words) <= 2:
        start = words[-1] if len(words) == 2 else ""
        print("\n".join(f"{name} " for name in commands if name.startswith(start)))
        return
    if words[1] == "train":
        from contextlib import redirect_stdout
        from io import StringIO

        from crossfade.commands.train import main

        # Hydra takes the first word for the program
        os.environ["COMP_LINE"] = " ".join(["crossfade", *words[2:]])
        text = StringIO()
        with redirect_stdout(text):
            main(["-sc", "query=bash"])
        found = text.getvalue().split()
    else:
        known = {
            "advise": ["run", "sweep", "task", "output"],
            "evaluate": ["run", "checkpoint", "split"],
            "predict": ["run", "manifest", "output"],
            "compare": ["metric"],
            "ceiling": ["run", "patterns"],
            "audit": ["run", "imputation"],
            "stress": ["run", "severities", "corruptions", "modalities", "attacks", "epsilons", "samples", "split"],
            "explain": ["run", "samples", "ids", "target", "method"],
        }
        keys = known.get(words[1], [])
        found = [f"{key}=" for key in keys]
    print("\n".join(word for word in found if word.startswith(words[-1])))
