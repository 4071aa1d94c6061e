"""Every YAML of the config folder composes, passes the check, and fits the signature of the class it names."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml

from crossfade.config import compose, groups
from crossfade.registry import conf_folder, corruptions, default_choices, part_name, read_option

OPTIONS = [(group, option) for group, options in groups().items() for option in options]

# what build.py gives beside the YAML's fields
GIVEN = {
    "encoder": ("spec", "fitted"),
    "fusion": ("modalities", "width", "tokens"),
    "target": ("spec", "fitted", "width"),
    "imputation": ("modalities", "width", "tokens"),
    "core": ("width", "length"),
    "balance": ("model",),
    "adversary": ("scales",),
    "absence": ("modalities",),
    "source": ("modalities", "targets", "seed"),
    "logger": ("folder", "config"),
    "search": (),
    "data": ("source", "transforms", "targets", "seed", "folds", "absence"),
}
# fields of `data` that say where the source finds its files, and are no arguments of the DataModule
ONLY_SOURCE = ("root", "manifest", "schema", "source")


def parts(group: str, option: str) -> list[tuple[str, dict[str, Any]]]:
    """The parts in a YAML, each with the word for what it is."""
    node = read_option(group, option)
    if group == "task":
        data = dict(node["data"])
        return [
            ("source", data["source"]),
            ("data", {key: value for key, value in data.items() if key not in ONLY_SOURCE}),
        ]
    if group == "logger":
        return [("logger", fields) for fields in node.values()]
    return [(group.split("/")[0], node)] if "_target_" in node else []


PARTS = [
    pytest.param(kind, fields, id=f"{group}={option}:{kind}")
    for group, option in OPTIONS
    for kind, fields in parts(group, option)
]


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, list[str]]:
    """What an option needs that has no default."""
    manifest = tmp_path / "my.csv"
    manifest.write_text("id,age,label\na,1,x\n", encoding="utf-8")
    manifest.with_suffix(".yaml").write_text(
        "id: id\nmodalities: {age: {kind: table, column: [age]}}\n"
        "targets: {label: {kind: multiclass, column: label}}\n",
        encoding="utf-8",
    )
    return {
        "custom": [f"data.manifest={manifest}"],
        "root": [f"data.root={tmp_path}"],
        "structured": ["absence.patterns=[[ct,note],[mri]]"],
    }


def chosen_task(group: str, option: str) -> str:
    """The task that an experiment's YAML chooses itself; "" for none."""
    defaults = yaml.safe_load((conf_folder() / group / f"{option}.yaml").read_text(encoding="utf-8")).get("defaults")
    chosen = [entry.get("override /task") for entry in defaults or [] if isinstance(entry, dict)]
    return next(filter(None, chosen), "")


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids=[f"{g}={o}" for g, o in OPTIONS])
def test_every_option_composes_and_passes(group: str, option: str, settings: dict[str, list[str]]) -> None:
    task = option if group == "task" else chosen_task(group, option)
    needed = settings.get(task or option, [])
    if task and read_option("task", task)["data"].get("root") == "???":
        needed = settings["root"]
    choice = f"target.new.kind={option}" if group == "target" else f"{group}={option}"  # a target has a name
    config = compose(choice, *needed)
    assert config.task.modalities


@pytest.mark.parametrize(("kind", "fields"), PARTS)
def test_every_field_is_an_argument_of_its_class(kind: str, fields: dict[str, Any]) -> None:
    module, _, name = fields["_target_"].rpartition(".")
    signature = inspect.signature(getattr(importlib.import_module(module), name))
    own = {key: value for key, value in fields.items() if key != "_target_"}
    signature.bind(**dict.fromkeys(GIVEN[kind]), **own)


@pytest.mark.parametrize(("kind", "fields"), PARTS)
def test_every_default_is_that_of_its_class(kind: str, fields: dict[str, Any]) -> None:
    module, _, name = fields["_target_"].rpartition(".")
    signature = inspect.signature(getattr(importlib.import_module(module), name))
    for key, value in fields.items():
        parameter = signature.parameters.get(key)
        reference = isinstance(value, str) and (value.startswith("${") or value == "???")
        if parameter is None or reference or parameter.default is inspect.Parameter.empty:
            continue
        if isinstance(value, list | dict) or (kind == "data" and key == "batch_size"):
            continue  # no default of an argument may be mutable; a task chooses its own batches
        assert parameter.default == value, f"{fields['_target_']}.{key}"


def test_every_default_choice_is_an_option() -> None:
    for group, option in default_choices().items():
        if group != "hydra" and isinstance(option, str):
            assert option in groups()[group]


def test_every_strategy_is_one_yaml_one_class() -> None:
    targets = [read_option("fusion", option)["_target_"] for option in groups()["fusion"]]
    assert len(set(targets)) == len(targets)
    assert [part_name("fusion", target) for target in targets] == groups()["fusion"]
    classes = [target.rpartition(".")[2].lower() for target in targets]
    assert classes == [option.replace("_", "") for option in groups()["fusion"]]


def test_no_yaml_file_is_overlooked() -> None:
    files = {path.relative_to(conf_folder()).parts for path in conf_folder().rglob("*.yaml")}
    apart = sum(map(len, corruptions().values()))  # they are no part of a run's config
    assert len([parts for parts in files if parts[0] != "hydra"]) == len(OPTIONS) + apart + 1  # config.yaml
