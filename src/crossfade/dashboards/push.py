"""Save a dashboard on the W&B server; what is wrong with the server or the key is found before."""

from __future__ import annotations

import os
from dataclasses import replace

import requests
import wandb

from crossfade.dashboards.subject import Subject
from crossfade.dashboards.views import report, workspace
from crossfade.errors import Failure, UserError
from crossfade.tracking.wandb import api_key, server

TIMEOUT = 15.0  # seconds for the server's first answer
_VIEWER = "query Viewer { viewer { id entity username } }"


def push(subject: Subject) -> dict[str, str]:
    """Save the workspace and the report; their addresses by "workspace" and "report".

    Raises UserError where there is no key, the server refuses it or does not answer, Failure where saving fails.
    """
    entity = default_entity()
    subject = replace(subject, entity=subject.entity or entity)
    try:
        saved = {"workspace": workspace(subject).save().url, "report": report(subject).save().url}
    except (wandb.Error, requests.RequestException, ValueError, TypeError, KeyError) as error:
        place = f"{subject.entity}/{subject.project}"
        raise Failure(
            f"{server()} did not save the dashboard in {place} ({type(error).__name__}: {error}). Look whether you may "
            "write there; entity=… and project=… name another place."
        ) from error
    return saved


def default_entity() -> str:
    """The entity that the key belongs to. Raises UserError where the server can't be asked, or refuses the key."""
    address = server()
    key = api_key()
    if key is None:
        raise UserError(
            f"No API key for {address}. Log in with: wandb login; or set WANDB_API_KEY. (dry_run=true needs none.)"
        )
    try:
        answer = requests.post(f"{address}/graphql", json={"query": _VIEWER}, auth=("api", key), timeout=TIMEOUT)
    except requests.RequestException as error:
        raise UserError(
            f"{address} does not answer ({type(error).__name__}). Look at your network, or at WANDB_BASE_URL if "
            "that is another server; the runs are not touched."
        ) from error
    if answer.status_code in (401, 403):
        raise UserError(f"{address} refuses the API key. Log in again: wandb login --relogin; or mend WANDB_API_KEY.")
    try:
        viewer = answer.json()["data"]["viewer"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{address} is no W&B server: it answered {answer.status_code} to a question for the login. Mend "
            "WANDB_BASE_URL."
        ) from error
    if viewer is None:
        raise UserError(f"{address} refuses the API key. Log in again: wandb login --relogin; or mend WANDB_API_KEY.")
    return str(os.environ.get("WANDB_ENTITY") or viewer["entity"])
