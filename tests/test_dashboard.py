"""`crossfade dashboard push`: what it would save, that it arrives at a server, and what it says where it can't."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import wandb

import wandb_server
from crossfade.commands import dashboard
from crossfade.config import compose
from crossfade.errors import UserError
from crossfade.runs import RunFolder
from crossfade.sweeps.ledger import Ledger
from crossfade.sweeps.planning import Job, identity_of

pytest.importorskip("wandb_workspaces", reason="the extra `dashboards` is not installed")

from crossfade.dashboards import push as pushing

MAIN = "diagnosis/balanced_accuracy"


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A sweep's folder of three jobs that have begun, and one that has not."""
    folder = tmp_path / "alpha_sweep"
    folder.mkdir()
    ledger = Ledger.create(folder, {"command": ["fusion=weighted,sum,max", "alpha=0.1,0.9", "logger=wandb"]})
    given = [["fusion=weighted", "alpha=0.1"], ["fusion=weighted", "alpha=0.9"], ["fusion=sum"], ["fusion=max"]]
    jobs = []
    for settings in given:
        config = compose("experiment=tiny", "logger=wandb", "logger.wandb.project=lungs", *settings)
        jobs.append(Job(identity_of(config), settings, ",".join(settings), config))
    for entry, job in list(zip(ledger.add(jobs).values(), jobs, strict=True))[:3]:
        (folder / entry.name).mkdir()
        config = job.config.model_copy(update={"group": "alpha_sweep"})
        RunFolder(folder / entry.name).write_start(config.dump(), job.given)
    return folder


def test_a_dry_run_says_what_would_be_saved_without_a_server(sweep, capsys, tmp_path):
    dashboard.main(["push", f"sweep={sweep}", "--dry-run", f"output={tmp_path / 'views.json'}"])
    told = capsys.readouterr().out
    assert 'workspace "Crossfade: alpha_sweep" in (your default entity)/lungs: runs of the group alpha_sweep' in told
    assert f"scatter: α landscape: test {MAIN} (test/{MAIN} against alpha)" in told
    for name in ("α landscape", "Strategies", "Modalities", "Cost and system", f"absence/{MAIN}/ct", "system/cpu"):
        assert name in told
    assert "table: confusion/diagnosis" in told
    views = json.loads((tmp_path / "views.json").read_text(encoding="utf-8"))
    section = views["workspace"]["section"]
    [[runs], panels] = [section["runSets"], section["panelBankConfig"]["sections"]]
    found = {one["key"]["name"]: one["value"] for one in runs["filters"]["filters"]}
    assert found == {"group": "alpha_sweep", "jobType": "train"}
    assert [key["name"] for key in runs["grouping"]] == ["strategy.value", "alpha.value"]
    [scatter] = panels[0]["panels"]
    assert (scatter["config"]["xAxis"], scatter["config"]["yAxis"]) == ("config:alpha.value", f"summary:test/{MAIN}")
    grids = [block["metadata"] for block in views["report"]["blocks"] if block["type"] == "panel-grid"]
    assert [one["name"] for one in grids[0]["runSets"]] == ["weighted"]  # sum has no α
    places = [(p["layout"]["x"], p["layout"]["y"]) for p in grids[2]["panelBankSectionConfig"]["panels"]]
    assert len(set(places)) == len(places) == 3  # none lies over another
    assert "crossfade train -m fusion=weighted,sum,max" in json.dumps(views["report"])


def test_a_project_is_shown_by_its_task(capsys):
    dashboard.main(["push", "project=home", "entity=us", "task=smart_home", "dry_run=true"])
    told = capsys.readouterr().out
    assert 'workspace "Crossfade: home" in us/home: runs of all groups' in told
    assert all(f"test/{target}" in told for target in compose("task=smart_home").task.targets)


@pytest.mark.slow
def test_workspace_and_report_arrive_at_the_server(sweep, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_API_KEY", wandb_server.KEY)
    with wandb_server.serving() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        wandb.teardown()
        dashboard.main(["push", f"sweep={sweep}"])
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith(f"workspace: {server.url}/{wandb_server.ENTITY}/lungs?nw=")
    assert told[1].startswith(f"report: {server.url}/{wandb_server.ENTITY}/lungs/reports/Crossfade:-alpha_sweep--")
    assert [view["type"] for view in server.views] == ["project-view", "runs"]
    for view in server.views:
        assert (view["entityName"], view["projectName"]) == (wandb_server.ENTITY, "lungs")
        assert view["displayName"] == "Crossfade: alpha_sweep"
        assert f"test/{MAIN}" in json.dumps(view["spec"])


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("no key", "No API key for"),
        ("away", "does not answer \\(ConnectionError\\)"),
        ("slow", "does not answer \\(ReadTimeout\\)"),
        ("refuses", "refuses the API key"),
    ],
)
def test_what_is_wrong_with_server_or_key_is_said(sweep, monkeypatch, fault, said):
    monkeypatch.setattr(pushing, "TIMEOUT", 0.3)
    if fault != "no key":
        monkeypatch.setenv("WANDB_API_KEY", wandb_server.KEY)
    with wandb_server.serving(slow=30.0 * (fault == "slow"), refuses=fault == "refuses") as server:
        if fault != "away":
            monkeypatch.setenv("WANDB_BASE_URL", server.url)
        with pytest.raises(UserError, match=said):
            dashboard.main(["push", f"sweep={sweep}"])
    assert not server.views


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pull", "project=x"], "must be push"),
        (["push"], "Say of which runs"),
        (["push", "sweeps=x"], 'Did you mean "sweep"'),
        (["push", "project=x", "dry_run=maybe"], "must be one of true, false"),
        (["push", "project=x", "output=views.txt"], "ends with .json"),
        (["push", "project=x", "task=medicine", "dry_run=true"], "medicine"),
        (["push", "sweep=nowhere", "dry_run=true"], "is no sweep"),
    ],
)
def test_mistakes_are_named(arguments, said):
    with pytest.raises(UserError, match=said):
        dashboard.main(arguments)


def test_a_sweep_that_never_went_to_wandb_is_named(tmp_path):
    ledger = Ledger.create(tmp_path, {"command": ["fusion=sum"]})
    with pytest.raises(UserError, match="none of its jobs has begun"):
        dashboard.main(["push", f"sweep={tmp_path}", "dry_run=true"])
    config = compose("experiment=tiny", "fusion=sum")
    [entry] = ledger.add([Job(identity_of(config), ["fusion=sum"], "fusion=sum", config)]).values()
    (tmp_path / entry.name).mkdir()
    RunFolder(tmp_path / entry.name).write_start(config.dump(), ["fusion=sum"])
    with pytest.raises(UserError, match="without logger=wandb"):
        dashboard.main(["push", f"sweep={tmp_path}", "dry_run=true"])
    dashboard.main(["push", f"sweep={tmp_path}", "project=elsewhere", "dry_run=true"])


def test_the_missing_extra_is_said(monkeypatch):
    monkeypatch.setattr(dashboard, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'pip install "crossfade\[dashboards\]"'):
        dashboard.main(["push", "project=x"])


def test_help_needs_no_heavy_import():
    code = "import sys; from crossfade.commands.dashboard import main; main(['--help']); print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "dry_run" in told
    assert told.splitlines()[-1] == "False"
