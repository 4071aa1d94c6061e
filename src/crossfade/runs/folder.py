"""RunFolder: the layout of a run's folder, with a name for everything in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from crossfade.errors import Failure, Pruned, UserError
from crossfade.runs.environment import environment, git_diff
from crossfade.runs.files import disk_fault, npz, read_csv, read_json, write_bytes, write_json, write_text
from crossfade.runs.find import checked
from crossfade.runs.lock import locked
from crossfade.runs.log import log_failure, logging_to
from crossfade.runs.memory import REMEDY, memory_fault
from crossfade.runs.signals import interruption, terminable
from crossfade.runs.status import Status

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd  # 0.4 s that --help must not pay

    from crossfade.config import RunConfig


DAMAGED = "The run folder is damaged, or was edited: restore the file from a copy, or train again."


@dataclass(frozen=True)
class RunFolder:
    """One run's folder (layout: see `crossfade.runs`). Nothing is touched; `open` checks that it is a run."""

    path: Path

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """The existing run at `path`. Raises UserError for anything else and names the runs that are near."""
        return cls(checked(Path(path)))

    @property
    def config_file(self) -> Path:
        return self.path / "config.yaml"

    @property
    def overrides_file(self) -> Path:
        return self.path / "overrides.txt"

    @property
    def environment_file(self) -> Path:
        return self.path / "environment.json"

    @property
    def diff_file(self) -> Path:
        return self.path / "git.diff"

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def summary_file(self) -> Path:
        return self.path / "summary.json"

    @property
    def preprocessing_file(self) -> Path:
        return self.path / "preprocessing.json"

    @property
    def log_file(self) -> Path:
        return self.path / "run.log"

    @property
    def status_file(self) -> Path:
        return self.path / "status.json"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def predictions_file(self, split: str, kind: Literal["csv", "parquet"] = "csv") -> Path:
        """Where the predictions of a split stand."""
        return self.path / "predictions" / f"{split}.{kind}"

    def write_start(
        self, config: Mapping[str, Any], overrides: Sequence[str], command: list[str] | None = None
    ) -> None:
        """Record what is known before training: overrides.txt, environment.json, git.diff, and last config.yaml.

        Where that is there, the others are: a run that was killed before is begun anew, and lacks nothing.
        """
        write_text(self.overrides_file, "".join(f"{override}\n" for override in overrides))
        write_json(self.environment_file, environment(command))
        if diff := git_diff():
            write_text(self.diff_file, diff)
        write_text(self.config_file, yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=110))

    def config(self) -> dict[str, Any]:
        """The resolved config as plain data. Raises UserError where the file holds none."""
        try:
            plain = yaml.safe_load(self.config_file.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"{self.config_file}: not readable as YAML: {error}. {DAMAGED}") from error
        if not isinstance(plain, dict):
            raise UserError(f"{self.config_file}: holds no config. {DAMAGED}")
        return plain

    def run_config(self) -> RunConfig:
        """The config that the run was made with. Raises UserError, naming the file, where it does not fit."""
        from crossfade.config import load

        plain = self.config()
        try:
            return load(plain)
        except UserError as error:
            raise UserError(*error.problems, f"So it stands in {self.config_file}. {DAMAGED}") from error

    def fitted(self) -> dict[str, Any]:
        """What was learned from the training split. Raises UserError where the run has not come that far."""
        path = self.preprocessing_file
        if not path.is_file():
            folds = sorted(p.parent.name for p in self.path.glob("fold_*/config.yaml"))
            if folds:
                raise UserError(
                    f"{self.path} is a cross-validation. Give one of its folds: {self.path / folds[0]}"
                    f"{f' … {folds[-1]}' if len(folds) > 1 else ''}."
                )
            raise UserError(f"{self.path} has no {path.name}: it ended before its data were read. Start it again.")
        try:
            return read_json(path)
        except ValueError as error:
            raise UserError(f"{path}: not readable as JSON: {error}. {DAMAGED}") from error

    def environment(self) -> dict[str, Any]:
        """What `write_start` found of machine, packages, git and command line; empty where it is not there."""
        return read_json(self.environment_file) if self.environment_file.exists() else {}

    @property
    def verdict_file(self) -> Path:
        return self.path / "verdict.txt"

    def verdicts(self) -> list[str]:
        """The sentences under the run's tables."""
        return self.verdict_file.read_text(encoding="utf-8").splitlines() if self.verdict_file.exists() else []

    def is_finished(self) -> bool:
        """Has it come to its end, with a summary?"""
        return self.summary_file.exists() and self.status_file.exists() and self.status().state == "finished"

    def overrides(self) -> list[str]:
        """What the user typed."""
        return self.overrides_file.read_text(encoding="utf-8").splitlines()

    def metrics(self) -> pd.DataFrame:
        """metrics.csv: columns epoch, step and one per metric, empty where a row does not have it."""
        return read_csv(self.metrics_file)

    def write_summary(self, values: Mapping[str, Any]) -> None:
        """Write summary.json."""
        write_json(self.summary_file, values)

    def summary(self) -> dict[str, Any]:
        """The numbers at the end of the run."""
        return read_json(self.summary_file)

    def write_predictions(self, split: str, table: pd.DataFrame, kind: Literal["csv", "parquet"] = "csv") -> Path:
        """Write one row per sample; the floats of a CSV are read back to the last digit."""
        path = self.predictions_file(split, kind)
        if kind == "csv":
            write_text(path, table.to_csv(index=False))
        else:
            buffer = io.BytesIO()
            table.to_parquet(buffer, index=False)
            write_bytes(path, buffer.getvalue())
        return path

    def write_table(self, name: str, table: pd.DataFrame) -> Path:
        """Write <name>.csv, a table of the run's analysis."""
        path = self.path / f"{name}.csv"
        write_text(path, table.to_csv(index=False))
        return path

    def table(self, name: str) -> pd.DataFrame | None:
        """<name>.csv as `write_table` wrote it; None where it is not there."""
        path = self.path / f"{name}.csv"
        return read_csv(path) if path.exists() else None

    def write_arrays(self, split: str, target: str, arrays: Mapping[str, np.ndarray]) -> Path:
        """Write what a target predicts beyond a table's cells, (N, …) by name: predictions/<split>_<target>.npz."""
        path = self.predictions_file(split).with_name(f"{split}_{target}.npz")
        write_bytes(path, npz(arrays))
        return path

    def predictions(self, split: str) -> pd.DataFrame:
        """The predictions of a split, from CSV or Parquet; an id "007" and the classes "NA" and "1" stay text."""
        import pandas as pd

        path = self.predictions_file(split)
        if path.exists():
            return read_csv(path, dtype=_text_columns(path), keep_default_na=False, na_values=[""])
        return pd.read_parquet(self.predictions_file(split, "parquet"))

    def status(self) -> Status:
        """What became of the run."""
        return Status.load(self.status_file)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hold the folder for this process, write run.log, and keep status.json true.

        Ends as finished; as interrupted after Ctrl-C or SIGTERM; as pruned after Pruned; as failed after any other
        exception, whose stack trace goes to run.log. The exception goes on; Failure stands for a full disk and for
        what was out of memory. Raises UserError where the folder is in use.
        """
        with locked(self.path), logging_to(self.log_file) as log, terminable():
            status = Status.of_this_process()
            for leftover in self.path.glob(".*.tmp"):  # of a process that was killed as it wrote
                leftover.unlink(missing_ok=True)
            status.save(self.status_file)
            try:
                yield
            except BaseException as error:
                cause = interruption(error)
                if fault := disk_fault(error):
                    with suppress(OSError):  # the status is written to that disk too
                        status.ending("failed", fault).save(self.status_file)
                    raise Failure(
                        f"{self.path}: {fault}. What was written before is whole. Make room, then go on from the last "
                        f"epoch: resume={self.path}"
                    ) from error
                if cause is None and (fault := memory_fault(error)):
                    log_failure(log, error)
                    said = f"{fault}. {REMEDY}"
                    status.ending("failed", said).save(self.status_file)
                    raise Failure(f"{self.path}: {said}. Then go on from the last epoch: resume={self.path}") from error
                if isinstance(error, Pruned):
                    status.ending("pruned", str(error)).save(self.status_file)
                elif cause is None and not (isinstance(error, SystemExit) and not error.code):
                    log_failure(log, error)
                    status.ending("failed", f"{type(error).__name__}: {error}").save(self.status_file)
                elif cause is not None:
                    status.ending("interrupted", cause).save(self.status_file)
                else:
                    status.ending("finished").save(self.status_file)
                raise
            status.ending("finished").save(self.status_file)


def _text_columns(path: Path) -> dict[str, type[str]]:
    """Columns of a predictions file whose numbers are names: id, group, and the classes of a target."""
    with path.open(encoding="utf-8", newline="") as file:
        names = next(csv.reader(file))
    targets = {name.partition(".p(")[0] for name in names if ".p(" in name}
    return dict.fromkeys(["id", "group", *(f"{t}.{c}" for t in targets for c in ("truth", "predicted"))], str)
