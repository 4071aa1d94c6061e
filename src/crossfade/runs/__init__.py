"""A run's folder: all that a run knows of itself, and all that is needed to reopen it. Imports no torch.

    <parent>/<YYYY-MM-DD_HH-MM-SS>_<name>/
        config.yaml             the resolved config, plain values only
        overrides.txt           what the user typed, one override a line
        environment.json        git state, package versions, hardware, command line, start (UTC)
        git.diff                changes that are not committed, where there are any
        metrics.csv             epoch, step, then one column per metric
        summary.json            the numbers at the end of the run
        preprocessing.json      what was learned from the training split (vocabulary, means, classes)
        absence_<target>.csv    the metrics of every presence pattern; absence_rate_<target>.csv: over rates of absence
        ceiling_<target>.csv    the same beside models trained on just a pattern (singles/, ceilings/), where asked for
        shapley_<target>.csv    what each modality is worth; shapley_pairs_…: interactions; shapley_samples_…: by sample
        certainty_<target>.csv  of classes: temperature, calibration, conformal sets of every presence pattern
        robustness_<target>.csv what corrupted modalities leave; adversarial_<target>.csv: what attacks leave (stress)
        predictions/<split>.csv or .parquet; <split>_<target>.npz of targets whose predictions fit no table
        figures/                PNG
        checkpoints/            weights and plain data
        run.log                 what Python's logging and warnings said
        status.json             running | finished | failed | interrupted | pruned (by a search)

Every file is written beside its place and moved there, so that a run killed at any moment leaves whole files.
"""

from crossfade.runs.create import new_folder, usable
from crossfade.runs.files import npz, read_json, write_bytes, write_json, write_text
from crossfade.runs.folder import RunFolder
from crossfade.runs.status import Status

__all__ = ["RunFolder", "Status", "new_folder", "npz", "read_json", "usable", "write_bytes", "write_json", "write_text"]
