"""What the README shows works: its commands compose, its Python runs, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import flow
from crossfade.config import compose

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TRAIN = [
    line.split("train.py ", 1)[1] for line in README.splitlines() if line.startswith("    ") and "train.py " in line
]


def test_there_are_commands():
    assert len(TRAIN) >= 10


@pytest.mark.parametrize("command", [c for c in TRAIN if not c.startswith(("-m", "resume=")) and "data." not in c])
def test_the_command_composes(command):
    task = next((text.partition("=")[2] for text in shlex.split(command) if text.startswith("task=")), "medical")
    assert compose(*shlex.split(command)).task.name == task


def test_your_own_data_composes_with_the_readmes_schema(tmp_path):
    manifest = flow.data_set(tmp_path)
    schema = re.search(r"    # my.yaml\n(.*?)\n\n", README, re.S)
    assert schema is not None
    text = "\n".join(line[4:] for line in schema.group(1).splitlines())
    manifest.with_suffix(".yaml").write_text(text, encoding="utf-8")
    config = compose("task=custom", f"data.manifest={manifest}", "folds=5")
    assert config.task.modalities == ["scan", "note", "labs"]
    assert config.modality["labs"].column == ["age", "crp"]


def test_the_python_of_the_readme_runs():
    code = re.search(r"    from crossfade.build import.*?(?=\n\n## )", README, re.S)
    assert code is not None
    lines = [line[4:] if line.startswith("    ") else line for line in code.group(0).splitlines()]
    last, shape = lines[-1].split("#")
    scope: dict[str, object] = {}
    exec("\n".join(lines[:-1]), scope)
    assert str(tuple(eval(last.strip(), scope))) == shape.strip()


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists()
