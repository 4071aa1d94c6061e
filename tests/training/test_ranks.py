"""The command that starts the processes of a distributed training."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from crossfade.config import compose
from crossfade.errors import UserError
from crossfade.runs import RunFolder
from crossfade.training.fit import ranks_command

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
FOLDER = RunFolder(Path("logs/runs/x"))
RANK = ["-m", "crossfade.rank", "logs/runs/x"]
TWO = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")


def test_one_node_needs_nothing_around_it() -> None:
    assert ranks_command(compose(*TWO), FOLDER, {}) == [*TORCHRUN, "--standalone", *RANK]
    in_a_job = {"SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURMD_NODENAME": "n1"}
    assert ranks_command(compose(*TWO), FOLDER, in_a_job) == [*TORCHRUN, "--standalone", *RANK]


def test_several_nodes_are_those_of_the_slurm_job() -> None:
    around = {"SLURM_JOB_ID": "41234", "SLURMD_NODENAME": "n1"}
    assert ranks_command(compose(*TWO, "trainer.nodes=3"), FOLDER, around) == [
        *("srun", "--nodes=3", "--ntasks=3", "--ntasks-per-node=1", "--overlap"),
        *(*TORCHRUN, "--nnodes=3", "--rdzv-backend=c10d", "--rdzv-id=41234", "--rdzv-endpoint=n1:21234"),
        *RANK,
    ]


def test_several_nodes_without_a_job_are_a_mistake() -> None:
    with pytest.raises(UserError, match=r"trainer.nodes=2: no Slurm job is around that has the nodes"):
        ranks_command(compose(*TWO, "trainer.nodes=2"), FOLDER, {})
