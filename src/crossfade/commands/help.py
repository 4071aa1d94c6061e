"""Help, printed from the config folder itself: groups and options from its files, keys from their comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crossfade.registry import ROOT_CONFIG, conf_folder, default_choices, groups

TRAIN = [
    ("crossfade train", "the built-in patients, every default"),
    ("crossfade train fusion=weighted alpha=0.3", "α: 0.3 on the first modality, the rest shared"),
    ("crossfade train alpha='{ct: 0.6, note: 0.4}'", "a weight per modality, 0 for the others"),
    ("crossfade train task.modalities=[ct,note] core.depth=4", "fewer modalities, a deeper core"),
    ("crossfade train task=custom data.manifest=my.csv", "your own data; my.yaml says what the columns are"),
    ("crossfade train -m fusion=weighted,sum,max alpha=0.1,0.5,0.9", "a sweep: one job for each that differs"),
    ("crossfade train -m seed=0,1,2 hydra/launcher=local", "in processes; or vectorized, joblib, submitit_slurm, ray"),
    ("crossfade train search=cv_alpha fusion=weighted folds=5", "α by nested cross-validation; also optuna, random"),
    ("crossfade train resume=logs/runs/FOLDER", "go on with a run that was stopped"),
    ("crossfade train experiment=tiny", "a run of some seconds"),
]


def wants_help(arguments: Sequence[str]) -> bool:
    return any(argument in ("-h", "--help") for argument in arguments)


def show_commands(commands: Mapping[str, str]) -> None:
    """`crossfade --help`."""
    console = _console()
    console.print(Text("crossfade: multimodal fusion experiments that can be trusted", style="bold"))
    console.print("\nUsage: crossfade COMMAND key=value …   (crossfade COMMAND --help says more)\n", highlight=False)
    console.print(_table(commands.items()))
    console.print("\nStart with:  crossfade train fusion=weighted alpha=0.3", highlight=False)
    console.print('Completion:  eval "$(crossfade -sc install=bash)"', highlight=False, markup=False)


def show_usage(
    command: str,
    what: str,
    required: Mapping[str, str],
    optional: Mapping[str, str],
    texts: Mapping[str, str],
    first: str = "",
) -> None:
    """The help of a command with a few fixed keys; `first` is what stands before them."""
    console = _console()
    console.print(Text(what, style="bold"))
    keys = " ".join([*(f"{k}={v}" for k, v in required.items()), *(f"[{k}={v or '…'}]" for k, v in optional.items())])
    console.print(f"\nUsage: crossfade {command} {first}{keys}\n", highlight=False, markup=False)
    console.print(_table((key, texts[key]) for key in (*required, *optional)))


def show_train() -> None:
    """`crossfade train --help`: examples, every group with its options, every key with its comment."""
    console = _console()
    console.print(Text("Train one run, or a sweep of runs with -m.", style="bold"))
    console.print("\nUsage: crossfade train [-m] [group=option …] [key=value …]\n", highlight=False, markup=False)
    console.print(Text("Examples", style="bold"))
    for command, what in TRAIN:
        console.print(Text(f"  {command}", style="cyan"), Text(f"      {what}", style="dim"), sep="\n")
    console.print(Text("\nGroups: group=option; an option's fields are set as group.field=value", style="bold"))
    console.print(_table(_options()))
    console.print(Text("\nKeys: key=value", style="bold"))
    console.print(_table(_keys()))
    console.print(Text("\nFlags", style="bold"))
    flags = [
        ("-m", "one job for each combination of values: seed=0,1,2 fusion=sum,max"),
        ("--cfg job", "print the composed config and stop; with --package GROUP only a part"),
        ("--info", "what Hydra found where"),
        ("-sc install=bash", "print the shell completion (also zsh, fish)"),
        ("--version", "the version"),
    ]
    console.print(_table(flags))


def _options() -> Iterator[tuple[str, Text]]:
    chosen = default_choices()
    for group, options in groups().items():
        text = Text()
        for option in options:
            usual = option == chosen.get(group)
            text.append(option, style="bold" if usual else "")
            text.append(" (default)  " if usual else "  ", style="dim")
        yield group, text


def _keys() -> Iterator[tuple[str, str]]:
    for line in (conf_folder() / f"{ROOT_CONFIG}.yaml").read_text(encoding="utf-8").splitlines():
        found = re.match(r"(\w+): (\{.+\}(?=\s+#)|\S+)(?:\s+# (.*))?$", line)
        if found and found[2] != "{}":
            yield f"{found[1]}={found[2]}", found[3] or ""
    yield "task, modality, target, data", "what a task fills in; see it with: crossfade train --cfg job --package data"


def _table(rows: object) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for key, text in rows:  # type: ignore[attr-defined]
        table.add_row(Text(f"  {key}"), text if isinstance(text, Text) else Text(text))
    return table


def _console() -> Console:
    return Console(soft_wrap=False, highlight=False)
