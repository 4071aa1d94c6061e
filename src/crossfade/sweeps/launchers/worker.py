"""What a process of the local launcher does: one job, with its share of cores and GPUs, and no longer than its parent.

Imported by the fork server once, so that each job starts with everything loaded.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crossfade import experiment
from crossfade.config import load
from crossfade.errors import UserError, show_problems
from crossfade.sweeps.ending import Ending


def work(
    config: Mapping[str, Any], folder: Path, given: Sequence[str], threads: int, gpus: Sequence[int] | None
) -> None:
    """Run the job in `folder`, its output in output.log; exits with the code of its `Ending`."""
    _follow_parent()
    _take_share(threads, gpus)
    with (folder / "output.log").open("ab", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    try:
        experiment.run(load(dict(config)), folder, given)
    except BaseException as error:
        _last_words(error)
        sys.exit(Ending.of(error).code)


def _last_words(error: BaseException) -> None:
    """Into output.log; where its disk is full the exit code alone tells the sweep, and what is unsaid is dropped."""
    try:
        if isinstance(error, UserError):
            show_problems(error)
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(null, stream)


def _take_share(threads: int, gpus: Sequence[int] | None) -> None:
    import torch

    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)  # for what the job itself starts
    torch.set_num_threads(threads)
    if gpus is not None:  # before CUDA is asked anything
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, gpus))


def _follow_parent() -> None:
    """End as by SIGTERM when the sweep's process is gone: an orphan would write to a folder that is taken up again."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
