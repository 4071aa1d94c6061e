"""Weights & Biases; offline where nobody is logged in, and where its server does not answer."""

from __future__ import annotations

import logging
import netrc
import os
from argparse import Namespace
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import wandb
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from crossfade.runs import RunFolder, write_text

log = logging.getLogger("crossfade")

START_SECONDS = 20.0  # to wait for the server before the run goes offline
FINISH_SECONDS = 60.0  # to wait at the end for what is not sent yet; it stays on disk


def logged_in() -> bool:
    """Whether a key for the W&B server is at hand: in the environment or in the user's netrc."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    file = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    host = urlparse(os.environ.get("WANDB_BASE_URL") or wandb.setup().settings.base_url).hostname or ""
    return file.exists() and netrc.netrc(file).authenticators(host) is not None


class WandbLogger(Logger):
    """One W&B run per run folder: resolved config, group, job type, name and tags; its ID is kept for a resume.

    All runs share one flat directory (`<logs>/wandb`), so that local viewers can lay them over each other. `mode`:
    auto is online with a login and offline without; an offline run says how to send it later.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: dict[str, Any],
        project: str = "crossfade",
        entity: str | None = None,
        mode: str = "auto",
        job_type: str = "train",
    ) -> None:
        super().__init__()
        self.folder, self.config, self.project, self.entity = folder, config, project, entity
        self.mode, self.job_type = mode, job_type
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
        """End the W&B run, as failed unless `status` is "success"; an offline one says how to send it."""
        if self._run is None:
            return
        run, self._run = self._run, None
        run.finish(exit_code=0 if status == "success" else 1)
        if run.settings._offline:
            place = Path(run.settings.sync_dir)
            place = place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place
            print(f"W&B is offline, nothing was sent. To send it later: wandb sync {place}", flush=True)

    def _start(self) -> Any:
        mode = self._mode()
        if mode != "online":
            return self._init(mode)
        try:
            return self._init("online")
        except wandb.Error as error:
            log.warning("W&B does not answer (%s): this run is kept offline.", str(error).partition("\n")[0])
            self._note.unlink(missing_ok=True)  # the failed attempt holds the ID until this process ends
            return self._init("offline")

    def _mode(self) -> str:
        if self.mode != "auto":
            return self.mode
        return os.environ.get("WANDB_MODE") or ("online" if logged_in() else "offline")

    def _init(self, mode: Any) -> Any:
        place = shared_directory(self.folder.path)
        (place / "wandb").mkdir(parents=True, exist_ok=True)  # W&B makes it a hidden one, .wandb, where it is missing
        known = self._note.read_text(encoding="utf-8").strip() if self._note.exists() else None
        overrides = self.folder.overrides() if self.folder.overrides_file.exists() else []
        run = wandb.init(
            project=self.project,
            entity=self.entity,
            id=known,
            resume="allow",
            dir=place,
            mode=mode,
            name=self.config.get("name") or " ".join(overrides) or self.folder.path.name,
            group=self.config.get("group"),
            job_type=self.job_type,
            tags=self.config.get("tags") or None,
            config=self.config,
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


def shared_directory(folder: Path) -> Path:
    """The folder of logs that a run, or its sweep, lies in; W&B adds `wandb` to it."""
    for parent in folder.absolute().parents:
        if parent.name in ("runs", "sweeps"):
            return parent.parent
    return folder.absolute().parent
