"""Model hubs, without the wait: says at once when a hub is out of reach, instead of after a minute of retries."""

from __future__ import annotations

import contextlib
import pickle
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

from crossfade.errors import UserError


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
            f"Give a local path, or train from scratch (pretrained=false, or model=null for text)."
        ) from error
    finally:
        constants.HF_HUB_OFFLINE = was_offline
