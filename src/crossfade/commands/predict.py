"""`crossfade predict run=FOLDER manifest=FILE [output=FILE.csv|FILE.parquet]`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crossfade.commands.arguments import given_run, read_arguments
from crossfade.commands.help import show_usage, wants_help
from crossfade.errors import UserError

REQUIRED = {"run": "logs/runs/…", "manifest": "new.csv"}
OPTIONAL = {"output": ""}
HELP = {
    "run": "the run's folder",
    "manifest": "the samples, as CSV, TSV or Parquet in the layout that the run was trained on",
    "output": "where the predictions go, .csv or .parquet; a file in the run's folder where none is given",
}


def main(arguments: Sequence[str]) -> None:
    """Write a run's predictions (ID, probabilities per class) for new samples."""
    if wants_help(arguments):
        show_usage("predict", "Write a run's predictions for new samples.", REQUIRED, OPTIONAL, HELP)
        return
    given = read_arguments("predict", arguments, REQUIRED, OPTIONAL)
    manifest = Path(given["manifest"]).expanduser()
    output = Path(given["output"]).expanduser() if given["output"] else None
    problems: list[str] = []
    if not manifest.is_file():
        problems.append(f"manifest={manifest}: there is no such file. Give a CSV, TSV or Parquet file.")
    if output is not None and output.suffix not in (".csv", ".parquet"):
        problems.append(f"output={output}: must end in .csv or .parquet.")
    elif output is not None and not output.parent.is_dir():
        problems.append(f"output={output}: there is no folder {output.parent}. Make it, or choose another.")
    folder = given_run(given["run"], problems)
    if problems:
        raise UserError(*problems)

    from crossfade.evaluation.predict import predict

    predict(folder, manifest, output)
