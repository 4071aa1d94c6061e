"""What the check of a config says, and what it makes of a good one."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
import yaml
from omegaconf import DictConfig, OmegaConf

from crossfade.config import check, compose, effective, find_problems, groups, load
from crossfade.config.compose import compose_raw, to_plain
from crossfade.config.overrides import parse
from crossfade.errors import UserError


def faults(*settings: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        compose(*settings)
    return caught.value.problems


@cache
def defaults() -> DictConfig:
    return OmegaConf.create(compose_raw([]))


def quick_faults(setting: str) -> list[str]:
    """The same for one key=value, without composing anew."""
    override = parse(setting)
    changed = defaults().copy()
    OmegaConf.update(changed, override.key_or_group, override.value(), force_add=True)
    raw = to_plain(changed, [])
    if override.key_or_group == "alpha":
        raw["fusion"]["alpha"] = raw["alpha"]  # in the YAML a reference
    return list(find_problems(raw).values())


def test_the_defaults_are_a_config() -> None:
    config = compose()
    assert config.seed == 0
    assert config.task.modalities == ["ct", "mri", "ultrasound", "note", "vitals"]
    assert config.modality["ct"].name == "ct"
    assert config.fusion["alpha"] is None
    assert config.logger == {}
    assert config.data.schema_file is None
    assert config.data.target_ == "crossfade.data.medical.module.MedicalDataModule"


@pytest.mark.parametrize(
    "settings",
    [[], ["alpha=0.3"], ["alpha=learned"], ["logger=[wandb,tensorboard]"], ["fusion=sum", "name=3", "tags=[1,b]"]],
    ids=" ".join,
)
def test_what_is_dumped_is_loaded_as_it_was(settings: list[str]) -> None:
    config = compose(*settings)
    assert load(config.dump()) == config
    assert load(yaml.safe_load(yaml.safe_dump(config.dump()))) == config
    assert load(json.loads(json.dumps(config.dump()))) == config


def test_loading_a_config_with_an_unknown_key_says_so() -> None:
    with pytest.raises(UserError, match="sead: unknown key"):
        load({**compose().dump(), "sead": 1})


PLANE = (
    "task.modalities=[ct] task.targets=[cars] +target.cars.kind=detection +target.cars.extent=[0,8,-4,4] "
    "modality.ct.aligned=true"
)
SINGLE = {
    "seed=-1": "seed=-1: must be at least 0.",
    "seed=true": "seed=true: must be a whole number.",
    "seed=1.5": "seed=1.5: must be a whole number",
    "seed.x=1": "seed={'x': 1}: must be a whole number.",
    "seeed=1": 'seeed: unknown key. Did you mean "seed"?',
    "epochs=3": 'epochs: unknown key. Did you mean "trainer.epochs"?',
    "fusoin=sum": 'fusoin: unknown key. Did you mean "fusion"?',
    "fusion.alhpa=0.3": 'fusion.alhpa: unknown key. Did you mean "alpha"?',
    "fusion=wieghted": 'fusion=wieghted: there is no such fusion. Did you mean "weighted"?',
    "fusion=null": "fusion=null: choose one of adaptive",
    "~fusion": "fusion: nothing is chosen. Choose fusion=adaptive",
    "~seeed": "~seeed: there is nothing to take away.",
    "task=medcal": 'task=medcal: there is no such task. Did you mean "medical"?',
    "encoder/imge=timm": 'encoder/imge=timm: there is no config group encoder/imge. Did you mean "encoder/image"?',
    "encoder.image=timm": "chosen with a slash: encoder/image=timm",
    "encoder=timm": "there is no config group encoder. Say of which kind",
    "encoder.image.pool=cls": "encoder.image.pool=cls: must be mean or none.",
    "modality.ct.kind=imag": 'must be image, text, audio, table, series or points. Did you mean "image"?',
    "modality.ct.size=4": "modality.ct.size=4: must be at least 8.",
    "modality.ct.encoder.modle=x": 'modality.ct.encoder.modle: unknown key. Did you mean "model"?',
    "~encoder/table": "modality.vitals.kind=table: no encoder of this kind is chosen",
    "encoder.points.pool=cls": "encoder.points.pool=cls: must be max, mean or none.",
    "task.modalities=[ct,noet]": 'task.modalities: noet is not declared under modality. Did you mean "note"?',
    "task.modalities=[ct,ct]": "ct stands twice",
    "task.modalities=[]": "must be a list of at least 1",
    "task.targets=[diagnossis]": 'diagnossis is not declared under target. Did you mean "diagnosis"?',
    "core.norm=prae": 'core.norm=prae: must be pre or post. Did you mean "pre"?',
    "core.depth=-1": "core.depth=-1: must be at least 0.",
    "core.depth=two": "core.depth=two: must be a whole number.",
    "core.dropout=1": "core.dropout=1: must be in [0, 1).",
    "core.mlp_ratio=0": "core.mlp_ratio=0: must be above 0.",
    "core.heads=5": "core.heads=5: must divide width=64. Try core.heads=4 or width=65.",
    "core=fuson": "core=fuson: there is no such core.",
    "encoder.text.heads=5": "encoder.text.heads=5: must divide encoder.text.hidden=64.",
    "alpha=1.3": "alpha=1.3: outside the simplex.",
    "alpha=learnd": 'alpha=learnd: not a weight. Did you mean "learned"?',
    "alpha=true": "alpha=True: not a weight.",
    "alpha={ct: 0.5, nte: 0.5}": "this run has no modality nte, it has ct, mri, ultrasound, note, vitals. Did you mean",
    "alpha={ct: 0.5, mri: 0.4}": "outside the simplex, the weights sum to 0.9",
    "alpha={ct: 1.5, mri: -0.5}": "alpha.ct=1.5: outside the simplex.",
    "fusion.alpha=-1": "fusion.alpha=-1: outside the simplex.",
    "trainer.precision=bf16": "must be 32-true, 64-true, 16-true, bf16-true, 16-mixed or bf16-mixed.",
    "trainer.devices=two": "trainer.devices=two: must be a whole number or auto.",
    "trainer.epochs=0": "trainer.epochs=0: must be at least 1.",
    "trainer.compile=1": "trainer.compile=1: must be true or false.",
    "trainer=gpuu": 'trainer=gpuu: there is no such trainer. Did you mean "gpu"?',
    "optim.lr=a": "optim.lr=a: must be a number. The default is optim.lr=0.001.",
    "optim.lr=0": "optim.lr=0: must be above 0.",
    "optim.warmup=1.5": "optim.warmup=1.5: must be at most 1.",
    "optim.schedule=cos": "optim.schedule=cos: must be cosine or constant.",
    "callbacks.ema=1": "callbacks.ema=1: must be below 1.",
    "callbacks.early_stopping=0": "callbacks.early_stopping=0: must be at least 1.",
    "data.split=[0.5,0.2,0.2]": "must sum to 1, not 0.9",
    "data.split=[0.5,0.5,0.0]": "must be above 0",
    "data.workers=-1": "data.workers=-1: must be at least 0.",
    "data.on_error=ignore": "must be error, skip or absent",
    "data.root=/no/such/folder": "data.root=/no/such/folder: there is no such folder.",
    "data.source.samples=3": "data.source.samples=3: must be at least 10.",
    "data.source.missing=1": "data.source.missing=1: must be in [0, 1).",
    "data.source.noise={ct: -1}": "data.source.noise.ct=-1: must be at least 0.",
    "data.source.sampels=300": 'data.source.sampels: unknown key. Did you mean "samples"?',
    "folds=1": "folds=1: must be at least 2.",
    "resume=/no/such/run": "resume=/no/such/run: there is no such folder.",
    "task=medical/covid_chestxray": "data.root: needs a value",
    "task=custom": "data.manifest: needs a value",
    "task=custom data.manifest=/no.csv": "data.manifest=/no.csv: there is no such file.",
    f"{PLANE} modality.ct.extent=[0,9,0,9]": "modality.ct.extent=[0, 9, 0, 9]: must be what target.cars covers. Set",
    f"{PLANE} modality.ct.kind=points": "modality.ct.extent: points need it to be placed on the grid of target.cars.",
    "fusion=weighted,sum": "several values. Add -m",
    "fusion": "fusion: settings are written key=value. Write fusion=…",
    "foo={": "foo={: cannot be read as key=value",
    "fusion=sum alpha=0.3": "fusion=sum has no α. These strategies use it: loglinear, weighted. Choose fusion=weighted",
    "fusion=lmf fusion.rank=0": "fusion.rank=0: must be at least 1. The default is fusion.rank=4.",
    "fusion=experts fusion.experts=0": "fusion.experts=0: must be at least 1.",
    "fusion=experts fusion.experts=2 fusion.top=3": "fusion.top=3: more than fusion.experts=2. Give at most 2.",
    "fusion=bottleneck fusion.latents=0": "fusion.latents=0: must be at least 1.",
    "fusion=bottleneck fusion.layers=0": "fusion.layers=0: must be at least 1.",
    "fusion=perceiver fusion.heads=5": "fusion.heads=5: must divide width=64. Try fusion.heads=4 or width=65.",
    "fusion=embracenet fusion.sampling=2": "fusion.sampling=2: must be in [0, 1].",
    "fusion=tfn width=256 fusion.hidden=256": "weights take 4,276,",
    "core.position=rotary width=36 core.heads=4": "core.position=rotary: needs an even width per head, not 36/4 = 9.",
    "folds=5 data.fold=5": "with folds=5 the folds are 0 to 4",
    "logger=wandb logger.wandb.mode=on": "logger.wandb.mode=on: must be auto, online or offline.",
    "core=none core.heads=4": "core.heads: unknown key.",
}


@pytest.mark.parametrize("line", SINGLE, ids=str)
def test_one_mistake_is_one_problem(line: str) -> None:
    settings = line.split() if "{" not in line else [line]
    of_a_group = any(s.partition("=")[0].replace(".", "/") in groups() for s in settings)
    plain = len(settings) == 1 and "=" in line and line[0] != "~" and "/" not in line.split("=")[0] and not of_a_group
    problems = quick_faults(line) if plain and line not in ("foo={", "encoder=timm") else faults(*settings)
    assert any(SINGLE[line] in problem for problem in problems), problems
    assert len(problems) == (2 if line == "alpha={ct: 1.5, mri: -0.5}" else 1), problems
    for problem in problems:
        assert "To append to your config" not in problem  # Hydra's hint
        assert problem.endswith((".", "?", "…", '"', "]", "'"))


def test_all_mistakes_of_a_line_are_said_at_once() -> None:
    problems = faults("fusion=wieghted", "fusion.alhpa=1", "seeed=3", "core.norm=prae", "optim.lr=x", "alpha=1.4")
    starts = ["fusion=wieghted:", "fusion.alhpa:", "seeed:", "core.norm=prae:", "optim.lr=x:", "alpha=1.4:"]
    assert sorted(problem.split(" ")[0] for problem in problems) == sorted(starts)


def test_settings_that_hydra_would_want_a_plus_for() -> None:
    config = compose("modality.x.kind=image", "+target.y.kind=regression", "alpha.ct=1.0", "+experiment=tiny")
    assert config.modality["x"].kind == "image"
    assert config.target["y"].name == "y"
    assert config.fusion["alpha"]["ct"] == 1.0
    assert config.width == 32


def test_groups_that_are_off() -> None:
    assert compose("experiment=null", "logger=null") == compose()
    assert list(compose("logger=wandb").logger) == ["wandb"]
    assert list(compose("logger=[wandb,tensorboard]").logger) == ["wandb", "tensorboard"]


def test_a_field_may_hold_one_value_per_modality() -> None:
    source = compose("data.source.informativeness={ct: 0.5}", "data.source.missing=0.25").data.source
    assert source is not None
    assert (source["informativeness"], source["missing"]) == ({"ct": 0.5}, 0.25)


def test_seed_zero_is_a_seed() -> None:
    assert compose("seed=0").seed == 0


def test_a_modality_of_its_own_encoder_fields() -> None:
    assert compose("modality.ct.encoder.frozen=true").modality["ct"].encoder == {"frozen": True}


def test_the_effective_config_leaves_out_labels_and_what_is_not_used() -> None:
    base = effective(compose("task.modalities=[ct]", "fusion=sum"))
    same = compose("task.modalities=[ct]", "fusion=sum", "name=x", "tags=[a]", "encoder.text.layers=1")
    assert effective(same) == base
    assert effective(compose("task.modalities=[ct]", "fusion=sum", "encoder.image.frozen=true")) != base
    assert effective(compose("task.modalities=[ct]", "fusion=sum", "seed=1")) != base


def manifest(folder: Path, name: str = "my") -> Path:
    table = folder / f"{name}.csv"
    table.write_text("id,age,label\na,1,x\n", encoding="utf-8")
    (folder / f"{name}.yaml").write_text(
        "id: id\nmodalities: {age: {kind: table, column: [age]}}\n"
        "targets: {label: {kind: multiclass, column: label}}\n",
        encoding="utf-8",
    )
    return table


def test_a_schema_beside_the_manifest_fills_in_the_task(tmp_path: Path) -> None:
    config = compose("task=custom", f"data.manifest={manifest(tmp_path)}")
    assert config.task.modalities == ["age"]
    assert config.target["label"].kind == "multiclass"
    assert config.data.source is not None
    assert config.data.source["id"] == "id"


def test_settings_win_over_the_schema_and_may_add_to_it(tmp_path: Path) -> None:
    config = compose(
        "task=custom",
        f"data.manifest={manifest(tmp_path)}",
        "modality.age.column=[age,id]",
        "modality.more.kind=table",
        "modality.more.column=[age]",
        "task.modalities=[more,age]",
        "alpha=0.25",
    )
    assert config.modality["age"].column == ["age", "id"]
    assert config.fusion["alpha"] == {"more": 0.25, "age": 0.75}


def test_another_schema_may_be_named(tmp_path: Path) -> None:
    table = manifest(tmp_path)
    schema = table.with_suffix(".yaml").rename(tmp_path / "other.yaml")
    (problem,) = faults("task=custom", f"data.manifest={table}")
    assert problem.startswith("data.schema: nothing says what the columns of")
    assert compose("task=custom", f"data.manifest={table}", f"data.schema={schema}").task.targets == ["label"]


def test_a_task_without_a_file_of_columns(tmp_path: Path) -> None:
    table = tmp_path / "my.csv"
    table.write_text("id,age,label\na,1,x\n", encoding="utf-8")
    config = compose(
        "task=custom",
        f"data.manifest={table}",
        "data.source.id=id",
        "task.modalities=[age]",
        "task.targets=[label]",
        "modality.age.kind=table",
        "modality.age.column=[age]",
        "target.label.kind=multiclass",
        "target.label.column=label",
    )
    assert config.modality["age"].column == ["age"]


def test_check_leaves_its_argument_as_it_was() -> None:
    raw = compose_raw(["++alpha=0.3"])
    before = json.dumps(raw, sort_keys=True)
    check(raw)
    assert json.dumps(raw, sort_keys=True) == before


def test_the_datas_paths_are_kept_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my.csv").write_text("id,note,y\n", encoding="utf-8")
    (tmp_path / "my.yaml").write_text(
        "{id: id, modalities: {note: {kind: text, column: note}}, targets: {y: {kind: multiclass, column: y}}}",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    data = compose("task=custom", "data.manifest=my.csv").data
    assert data.manifest == str(tmp_path / "my.csv")
    assert data.source is not None
    assert data.source["manifest"] == str(tmp_path / "my.csv")
