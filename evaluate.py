"""`python evaluate.py run=logs/runs/…`: the same as `crossfade evaluate …`."""

import sys

from crossfade.cli import run

if __name__ == "__main__":
    sys.exit(run("evaluate", sys.argv[1:]))
