"""One training: a checked config and prepared data → weights in a run folder."""

from __future__ import annotations

import logging
import math
import os
import subprocess
import sys
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, EMAWeightAveraging

from crossfade.build import build, build_adversary, build_balance, build_model
from crossfade.cache.features import compute_features
from crossfade.config import RunConfig
from crossfade.data.module import DataModule
from crossfade.errors import UserError
from crossfade.runs import RunFolder
from crossfade.targets.base import some
from crossfade.tracking import make_loggers
from crossfade.training.checkpoint import AtomicCheckpointIO, clean, frozen_names
from crossfade.training.journal import settle
from crossfade.training.keeping import keep, main_metric
from crossfade.training.module import FusionModule
from crossfade.training.progress import EpochProgress
from crossfade.training.pruning import pruning_of
from crossfade.training.stopwatch import Stopwatch

log = logging.getLogger("crossfade")


def train(config: RunConfig, folder: RunFolder, data: DataModule, label: str) -> None:
    """Train in this process, or in one process per device where `trainer.strategy` asks for several.

    Continues from the folder's last checkpoint if it has one. Raises Failure when the loss turns NaN.
    """
    if processes(config) * config.trainer.nodes > 1 and "LOCAL_RANK" not in os.environ:
        launch(config, folder)
    else:
        fit(config, folder, data, label)


def processes(config: RunConfig) -> int:
    """How many processes on this machine the trainer asks for."""
    if config.trainer.strategy not in ("ddp", "fsdp"):
        return 1
    if config.trainer.devices == "auto":
        return max(1, torch.cuda.device_count())
    return int(config.trainer.devices)


def launch(config: RunConfig, folder: RunFolder) -> None:
    """Start one process per device with torchrun, on each node of the job, all on this run folder, and wait.

    The ranks are told the folder and nothing else: none of them sees the command line, so no sweep starts twice.
    """
    command = ranks_command(config, folder, os.environ)
    threads = max(1, (os.cpu_count() or 1) // processes(config))
    done = subprocess.run(command, env={"OMP_NUM_THREADS": str(threads), **os.environ}, check=False)
    if done.returncode:
        raise RuntimeError(f"A process of the distributed training failed (exit code {done.returncode}), see above.")


def ranks_command(config: RunConfig, folder: RunFolder, environment: Mapping[str, str]) -> list[str]:
    """The command that starts the ranks: torchrun here, or by srun on every node of a Slurm job.

    Raises UserError where several nodes are asked for and nothing says which they are.
    """
    torchrun = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes(config)}"]
    rank = ["-m", "crossfade.rank", str(folder.path)]
    nodes = config.trainer.nodes
    if nodes == 1:
        return [*torchrun, "--standalone", *rank]
    job = environment.get("SLURM_JOB_ID")
    if job is None:
        raise UserError(
            f"trainer.nodes={nodes}: no Slurm job is around that has the nodes. Start the run in one (sbatch, or "
            "hydra/launcher=submitit_slurm hydra.launcher.nodes=…), on a file system that all nodes see; see "
            "docs/scaling.md."
        )
    port = 20000 + int(job) % 20000  # one for each job, the same on all of its nodes
    meeting = f"--rdzv-endpoint={environment['SLURMD_NODENAME']}:{port}"
    spread = ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", "--overlap"]
    return [*spread, *torchrun, f"--nnodes={nodes}", "--rdzv-backend=c10d", f"--rdzv-id={job}", meeting, *rank]


def fit(config: RunConfig, folder: RunFolder, data: DataModule, label: str) -> None:
    """Build the model and run Lightning's fit in this process."""
    quiet()
    clean(folder.checkpoints)
    settle(config, folder)
    model = build_model(config, data.fitted)
    steps = optimizer_steps(config, data)
    balance = build_balance(config, model)
    if model.imputation.needs_absence and not balance.active:
        _warn_if_complete(data)
    module = FusionModule(model, config.optim, steps, config.seed, config.trainer.compile, balance)
    last = folder.checkpoints / "last.ckpt"
    trainer = make_trainer(config, folder, label, frozen_names(model))
    compute_features(model, data, trainer.strategy.root_device)
    module.adversary = build_adversary(config, data)
    if config.trainer.precision == "64-true":
        module.double()  # Lightning does so too, but after it has read a checkpoint's weights into it
    try:
        trainer.fit(module, datamodule=data, ckpt_path=last if last.exists() else None)
    except SystemExit as end:  # Lightning answers Ctrl-C by exiting; let the run's status tell it from a failure
        raise KeyboardInterrupt from end
    finally:
        data.samples.features.clear()
    for logger in trainer.loggers:
        logger.finalize("success")


def _warn_if_complete(data: DataModule) -> None:
    """Say which modalities no training sample lacks, so that nothing learns what to put in their place."""
    never = data.samples.present[torch.from_numpy(data.split["train"])].all(0).tolist()
    if names := [name for name, complete in zip(data.samples.transforms, never, strict=True) if complete]:
        log.warning(
            "imputation: no training sample lacks %s, so what is put in their place is not learned. Hide some: "
            "absence=rate or balance=modality_dropout.",
            some(names),
        )


def optimizer_steps(config: RunConfig, data: DataModule) -> int:
    """Steps of the optimiser in the whole training.

    Lightning counts them too, but starts the loader for it, before it knows the epoch of a resumed run.
    """
    t = config.trainer
    batches = min(len(data.loader("train", shuffle=True)), t.limit_batches or math.inf)
    return math.ceil(batches / t.accumulate) * t.epochs


def make_trainer(config: RunConfig, folder: RunFolder, label: str, frozen: Collection[str] = ()) -> pl.Trainer:
    """Lightning's Trainer as the config has it; `frozen` are weights that need writing once only."""
    t = config.trainer
    monitor, mode = main_metric(config)
    callbacks: list[Callback] = [
        keep(folder.checkpoints, "best", monitor=monitor, mode=mode),
        keep(folder.checkpoints, "last"),  # every epoch; `save_last=True` would write only what is also the best
        SaveOnInterrupt(folder.checkpoints / "interrupted.ckpt"),
        Stopwatch(),
    ]
    if t.progress:
        callbacks.append(EpochProgress(label, monitor))
    if config.callbacks.early_stopping is not None:
        callbacks.append(EarlyStopping(monitor=monitor, mode=mode, patience=config.callbacks.early_stopping))
    callbacks += pruning_of(folder.path, monitor)
    if config.callbacks.ema is not None:
        callbacks.append(EMAWeightAveraging(decay=config.callbacks.ema))
    strategy: Any = t.strategy
    if t.strategy == "ddp":
        # late fusion leaves no parameter unused either; a frozen encoder's need no gradient at all
        strategy = pl.strategies.DDPStrategy(find_unused_parameters=False)
    elif t.strategy == "fsdp":
        strategy = pl.strategies.FSDPStrategy(state_dict_type="full")
    limit: float | int = 1.0 if t.limit_batches is None else t.limit_batches
    return pl.Trainer(
        accelerator=t.accelerator,
        devices=t.devices,
        num_nodes=t.nodes,
        strategy=strategy,
        precision=t.precision,
        max_epochs=t.epochs,
        gradient_clip_val=t.gradient_clip or None,
        accumulate_grad_batches=t.accumulate,
        deterministic="warn" if t.deterministic == "warn" else bool(t.deterministic),
        limit_train_batches=limit,
        limit_val_batches=limit,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # data.order gives each rank its part
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=10**9,  # metrics are logged once an epoch
        logger=make_loggers(config.logger, build, folder, config.dump()),
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO(frozen)],
        default_root_dir=folder.path,
    )


class SaveOnInterrupt(Callback):
    """Ctrl-C in the middle of an epoch keeps the weights of that moment, for a look at them.

    Resuming starts from last.ckpt, at an epoch's end, so that the result is that of an uninterrupted run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        if isinstance(exception, KeyboardInterrupt):
            trainer.save_checkpoint(self.path, weights_only=False)


def quiet() -> None:
    """Silence Lightning's advice that does not hold here."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    logging.getLogger("pytorch_lightning.accelerators.cuda").setLevel(logging.WARNING)
    logging.getLogger("lightning_fabric.utilities.distributed").setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",  # samples are served as whole batches from memory
        ".*exists and is not empty.*",  # a resumed run's folder is not
        ".*`isinstance\\(treespec, LeafSpec\\)`.*",
        ".*Trying to infer the `batch_size`.*",
        ".*GPU available but not used.*",
        ".*recommended to use `self.log.*sync_dist.*",  # every rank validates on all samples
        ".*module\\(s\\) in eval mode at the start.*",  # frozen encoders are meant to be
        ".*smaller than the logging interval.*",  # metrics are logged once an epoch
    ):
        warnings.filterwarnings("ignore", message=message)
