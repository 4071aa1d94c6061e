"""`crossfade dashboard push sweep=FOLDER|project=NAME [entity=…] [task=…] [dry_run=true] [output=FILE]`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from crossfade.commands.arguments import choice, read_arguments
from crossfade.commands.help import show_usage, wants_help
from crossfade.errors import UserError, did_you_mean

OPTIONAL = {"sweep": "", "project": "", "entity": "", "task": "medical", "dry_run": "false", "output": ""}
HELP = {
    "sweep": "the sweep's folder; the dashboard shows its runs",
    "project": "the W&B project; alone: the dashboard shows all its runs",
    "entity": "the user or team that the project belongs to; your default one by itself",
    "task": "of a project's runs, for their targets and modalities",
    "dry_run": "true: print what would be saved, without a server (--dry-run says the same)",
    "output": "also write the views' specs to this .json file",
}
WHAT = "Make a W&B workspace and a report of a sweep, or of a whole project."


def main(arguments: Sequence[str]) -> None:
    """Save a workspace and a report on the W&B server, or print what they would hold."""
    if wants_help(arguments) or not arguments:
        show_usage("dashboard", WHAT, {}, OPTIONAL, HELP, "push ")
        return
    action, *rest = ["dry_run=true" if text in ("--dry-run", "--dry_run") else text for text in arguments]
    if action != "push":
        raise UserError(f"dashboard {action}: must be push.{did_you_mean(action, ['push'])}")
    given = read_arguments("dashboard push", rest, {}, OPTIONAL)
    output = Path(given["output"]).expanduser() if given["output"] else None
    problems = choice("dry_run", given["dry_run"], ["true", "false"])
    if not given["sweep"] and not given["project"]:
        problems.append("Say of which runs: sweep=logs/sweeps/…, or project=…")
    if output is not None and output.suffix.lower() != ".json":
        problems.append(f"output={output}: the specs are JSON; give a name that ends with .json.")
    if find_spec("wandb_workspaces") is None:
        problems.append('crossfade dashboard: wandb-workspaces is not installed. pip install "crossfade[dashboards]"')
    if problems:
        raise UserError(*problems)

    from crossfade.dashboards.push import push
    from crossfade.dashboards.subject import of_project, of_sweep
    from crossfade.dashboards.views import outline, specs
    from crossfade.runs import write_text

    project, entity = given["project"] or None, given["entity"] or None
    if given["sweep"]:
        subject = of_sweep(Path(given["sweep"]).expanduser(), project, entity)
    else:
        subject = of_project(given["project"], entity, given["task"])
    if output is not None:
        write_text(output, json.dumps(specs(subject), indent=2, ensure_ascii=False) + "\n")
    if given["dry_run"] == "true":
        print(outline(subject))
        return
    for name, address in push(subject).items():
        print(f"{name}: {address}")
