"""Weights & Biases; offline where nobody is logged in, and where its server does not answer."""

from __future__ import annotations

import logging
import netrc
import os
import time
from argparse import Namespace
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import wandb
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from crossfade.registry import part_name
from crossfade.runs import RunFolder, write_text
from crossfade.tracking.results import Results

log = logging.getLogger("crossfade")

START_SECONDS = 20.0  # to wait for the server before the run goes offline
FINISH_SECONDS = 60.0  # to wait at the end for what is not sent yet; it stays on disk
SILENT_SECONDS = 600.0  # that a sweep does not ask a server again which did not answer: it waits once, not for each job
SILENT = "no_answer.txt"  # beside the sweep's runs, for jobs in processes of their own: since when, what went wrong
LEDGER = "ledger.sqlite"  # of a sweep, in its folder
LONGEST = 128  # characters of a run's name that W&B takes

# Of the runs of this process, by run folder: the W&B runs that wait for results, and those that ended as failed
_open: dict[Path, Any] = {}
_failed: set[Path] = set()


def server() -> str:
    """The address of the W&B server."""
    return str(os.environ.get("WANDB_BASE_URL") or wandb.setup().settings.base_url).rstrip("/")


def api_key() -> str | None:
    """The key for that server: of the environment or of the user's netrc."""
    if key := os.environ.get("WANDB_API_KEY"):
        return key
    file = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    found = netrc.netrc(file).authenticators(urlparse(server()).hostname or "") if file.exists() else None
    return found[2] if found is not None else None


def logged_in() -> bool:
    """Whether something is at hand to log in with at the W&B server."""
    return bool(os.environ.get("WANDB_IDENTITY_TOKEN_FILE")) or api_key() is not None


class WandbLogger(Logger):
    """One W&B run per run folder: resolved config, group, job type, name and tags; its ID is kept for a resume.

    The runs of a sweep share one flat directory (`<sweep>/wandb`), and all others one (`<logs>/wandb`), so that local
    viewers can lay them over each other and one command sends them. `mode`: auto is online with a login and offline
    without; an offline run says how to send it later. After the training the W&B run stays open for `conclude`.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: dict[str, Any],
        project: str = "crossfade",
        entity: str | None = None,
        mode: str = "auto",
    ) -> None:
        super().__init__()
        self.folder, self.config, self.project, self.entity = folder, config, project, entity
        self.mode = mode
        self._note = folder.path / "wandb_id.txt"
        self._run: Any = None

    @property
    def name(self) -> str:
        return self.project

    @property
    def version(self) -> str | None:
        return self._run.id if self._run is not None else None

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """The resolved config is given when the run starts."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if self._run is None:
            self._run = self._start()
        self._run.log({**metrics, "trainer/step": step})

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """End the W&B run as failed, unless `status` is "success": then it waits for `conclude`.

        A rank of a distributed training ends here, so its W&B run does too: `conclude` goes on with it by its ID.
        """
        if self._run is None:
            return
        if status == "success" and "LOCAL_RANK" not in os.environ:
            _open[self.folder.path], self._run = self._run, None
        else:
            self._end(failed=status != "success")

    def conclude(self, results: Results | None) -> None:
        """Log the results of the whole run and end it; None: it has failed, and so does the W&B run."""
        if results is None and self.folder.path in _failed:
            return  # it failed in training, and the W&B run ended there
        self._run = _open.pop(self.folder.path, None) or self._start()
        try:
            if results is not None:
                self._log(results)
        finally:  # a server that takes no tables is no reason to leave the run open
            self._end(failed=results is None)

    def _log(self, results: Results) -> None:
        self._run.summary.update(results.numbers)  # first: tables need an answer of the server
        shown: dict[str, Any] = {}
        for name, table in results.tables.items():
            shown[name] = wandb.Table(columns=list(table.columns), data=table.to_numpy(dtype=object))
        for name, path in results.figures.items():
            shown[name] = wandb.Image(str(path))
        if shown:
            self._run.log(shown)

    def _end(self, failed: bool) -> None:
        run, self._run = self._run, None
        if failed:
            _failed.add(self.folder.path)
        run.finish(exit_code=int(failed))
        if run.settings._offline:
            place = Path(run.settings.sync_dir)
            place = place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place
            print(f"W&B is offline, nothing was sent. To send it later: wandb sync {place}", flush=True)

    def _start(self) -> Any:
        mode = self._mode()
        if mode != "online":
            return self._init(mode)
        sweep = _sweep_of(self.folder.path.absolute())
        silent = None if sweep is None else sweep / "wandb" / SILENT
        if silent is not None and silent.exists() and time.time() - silent.stat().st_mtime < SILENT_SECONDS:
            return self._init("offline")
        try:
            return self._init("online")
        except wandb.Error as error:
            log.warning("W&B does not answer (%s): this run is kept offline.", str(error).partition("\n")[0])
            if silent is not None:
                write_text(silent, f"{error}\n")
            self._note.unlink(missing_ok=True)  # the failed attempt holds the ID until this process ends
            return self._init("offline")

    def _mode(self) -> str:
        if self.mode != "auto":
            return self.mode
        return os.environ.get("WANDB_MODE") or ("online" if logged_in() else "offline")

    def _init(self, mode: Any) -> Any:
        _failed.discard(self.folder.path)
        place = shared_directory(self.folder.path)
        (place / "wandb").mkdir(parents=True, exist_ok=True)  # W&B makes it a hidden one, .wandb, where it is missing
        known = self._note.read_text(encoding="utf-8").strip() if self._note.exists() else None
        run = wandb.init(
            project=self.project,
            entity=self.entity,
            id=known,
            resume="allow",
            dir=place,
            mode=mode,
            name=self._name(),
            group=self.config.get("group") or self._cross_validation(),
            job_type="fold" if _is_fold(self.config) else "train",
            tags=self.config.get("tags") or None,
            config={**self.config, "strategy": _strategy(self.config)},
            reinit="create_new",  # a run that a failed logger or a notebook left open must not get this one's metrics
            settings=wandb.Settings(
                silent=True,
                console="off",  # run.log has it, and W&B's capture breaks progress bars
                init_timeout=START_SECONDS,
                finish_timeout=FINISH_SECONDS,
            ),
        )
        run.define_metric("*", step_metric="trainer/step")
        write_text(self._note, f"{run.id}\n")
        return run

    def _cross_validation(self) -> str | None:
        """The folder's name of the cross-validation that this is, or that this fold is part of."""
        path = self.folder.path.absolute()
        return None if self.config.get("folds") is None else path.parent.name if _is_fold(self.config) else path.name

    def _name(self) -> str:
        """The run's own name, else its overrides; jobs of a sweep have one name, and go by their overrides alone."""
        overrides = self.folder.overrides() if self.folder.overrides_file.exists() else []
        path = self.folder.path.absolute()
        if (sweep := _sweep_of(path)) is None and self.config.get("name"):
            return str(self.config["name"])
        name = " ".join(text for text in overrides if not text.startswith("name="))
        if not name or len(name) > LONGEST:
            name = path.relative_to(sweep).as_posix() if sweep is not None else path.name  # has what sets it apart
        return name


def _is_fold(config: dict[str, Any]) -> bool:
    return config.get("folds") is not None and (config.get("data") or {}).get("fold") is not None


def _strategy(config: dict[str, Any]) -> str:
    """The fusion strategy in a word, to group by."""
    return part_name("fusion", str((config.get("fusion") or {}).get("_target_", "")))


def _sweep_of(path: Path) -> Path | None:
    """The folder of the sweep that a run lies in: it holds the sweep's ledger."""
    return next((parent for parent in path.parents if (parent / LEDGER).exists()), None)


def shared_directory(folder: Path) -> Path:
    """The folder of the sweep that a run lies in, or else of all logs; W&B adds `wandb` to it."""
    path = folder.absolute()
    if (sweep := _sweep_of(path)) is not None:
        return sweep
    return next((parent.parent for parent in path.parents if parent.name in ("runs", "sweeps")), path.parent)
