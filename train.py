"""`python train.py fusion=weighted alpha=0.3`: the same as `crossfade train …`.

src/crossfade/commands/train.py hands the work to @hydra.main (Hydra's shell completion looks for that word here).
"""

import sys

from crossfade.cli import run

if __name__ == "__main__":
    sys.exit(run("train", sys.argv[1:]))
