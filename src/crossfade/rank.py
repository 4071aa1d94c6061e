"""One process of a distributed training: `python -m crossfade.rank RUN_FOLDER`, started by torchrun."""

from __future__ import annotations

import sys
from pathlib import Path

from crossfade.evaluation.reopen import reopen_config, reopen_data
from crossfade.runs import RunFolder
from crossfade.training.fit import fit


def main() -> None:
    folder = RunFolder(Path(sys.argv[1]))
    config = reopen_config(folder)
    fit(config, folder, reopen_data(config, folder), "rank")


if __name__ == "__main__":
    main()
