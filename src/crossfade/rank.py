"""One process of a distributed training: `python -m crossfade.rank RUN_FOLDER`, started by torchrun."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from crossfade.evaluation.reopen import reopen_config, reopen_data
from crossfade.runs import RunFolder
from crossfade.training.fit import fit

POLL = 0.5  # seconds


def main() -> None:
    folder = RunFolder(Path(sys.argv[1]))
    threading.Thread(target=follow, args=(folder,), daemon=True).start()
    config = reopen_config(folder)
    fit(config, folder, reopen_data(config, folder), "rank")


def follow(folder: RunFolder) -> None:
    """End this process, at once, when the run's own is gone: torchrun outlives it, and the folder is taken up again.

    Files are written whole, so nothing is lost but the running epoch. Of a run on another machine its status.json says
    no more than that it runs; there a rank ends with its fellows, which it can reach no longer.
    """
    while folder.status().state == "running":
        time.sleep(POLL)
    os._exit(1)


if __name__ == "__main__":
    main()
