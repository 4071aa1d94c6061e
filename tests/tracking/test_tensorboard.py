"""TensorBoard: event files that can be read back, and a clear word where it is missing."""

from __future__ import annotations

import pytest

from crossfade.errors import UserError
from crossfade.runs import RunFolder
from crossfade.tracking.tensorboard import TensorboardLogger


def test_metrics_and_config_are_read_back(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logger = TensorboardLogger(RunFolder(tmp_path), {"alpha": 0.3})
    assert list(tmp_path.iterdir()) == []
    logger.log_metrics({"val/loss": 0.5}, 9)
    logger.log_metrics({"val/loss": 0.25}, 19)
    logger.finalize("success")
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("val/loss")] == [(9, 0.5), (19, 0.25)]
    [text] = events.Tensors("config/text_summary")
    assert b"alpha: 0.3" in text.tensor_proto.string_val[0]


def test_a_missing_package_names_the_extra(tmp_path, monkeypatch):
    from pytorch_lightning.loggers import TensorBoardLogger

    def missing(*args: object, **kwargs: object) -> None:
        raise ModuleNotFoundError("Neither `tensorboard` nor `tensorboardX` is available")

    monkeypatch.setattr(TensorBoardLogger, "__init__", missing)
    with pytest.raises(UserError, match=r'pip install "crossfade\[tensorboard\]"'):
        TensorboardLogger(RunFolder(tmp_path), {})
