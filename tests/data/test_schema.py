"""The small YAML beside a manifest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crossfade.data.schema import load_schema
from crossfade.errors import UserError
from crossfade.specs import ModalitySpec, TargetSpec

GOOD = """
id: patient
group: house
split: split
modalities: {scan: {kind: image, column: path, size: 32}, labs: {kind: table, column: [age, crp]}}
targets: {outcome: {kind: multiclass, column: outcome, classes: ["no", "yes"]}}
"""


def write(folder: Path, content: str) -> Path:
    path = folder / "my.yaml"
    path.write_text(content)
    return path


def test_a_schema_becomes_a_part_of_the_config(tmp_path: Path) -> None:
    overlay = load_schema(write(tmp_path, GOOD))
    assert overlay == {
        "task": {"modalities": ["scan", "labs"], "targets": ["outcome"]},
        "modality": {
            "scan": {"kind": "image", "column": "path", "size": 32},
            "labs": {"kind": "table", "column": ["age", "crp"]},
        },
        "target": {"outcome": {"kind": "multiclass", "column": "outcome", "classes": ["no", "yes"]}},
        "data": {"source": {"id": "patient", "group": "house", "split": "split", "fold": None}},
    }
    for fields in overlay["modality"].values():
        ModalitySpec.model_validate(fields)
    TargetSpec.model_validate(overlay["target"]["outcome"])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("id: patient", "identifier: patient", "`id` is missing"),
        ("split: split", "splt: split", 'unknown key "splt". Did you mean "split"?'),
        ("group: house", "group: [house]", "not the name of a column"),
        ("kind: image", "kind: picture", "modalities.scan.kind: Input should be 'image'"),
        ("size: 32", "sise: 32", 'modalities.scan: unknown field "sise". Did you mean "size"?'),
        ("size: 32", "size: 2", "modalities.scan.size: Input should be greater than or equal to 8 (given: 2)"),
        ("column: path, ", "", "modalities.scan: `column` is missing"),
        ("kind: multiclass, ", "", "targets.outcome.kind: Field required."),
        ('["no", "yes"]', "[no, yes]", "quote the labels"),
        ("scan: {", "1: {", "a name is a word"),
        ("scan: {kind: image, column: path, size: 32}", "scan: path", "expected a mapping of fields"),
        ("targets: {outcome", "target: {outcome", "`targets` is missing or empty"),
        ("id: patient", "id: {", "not readable as YAML"),
        (GOOD, "just text", "expected a mapping with the keys id, group"),
        (GOOD, "", "expected a mapping"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    with pytest.raises(UserError) as caught:
        load_schema(write(tmp_path, GOOD.replace(old, new)))
    assert words in str(caught.value)
    assert "my.yaml" in str(caught.value)


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_schema(write(tmp_path, GOOD.replace("id: patient", "idd: patient").replace("size: 32", "size: 2")))
    assert len(caught.value.problems) == 3


def test_no_schema_says_where_it_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"my\.yaml: no such file.*data\.schema=FILE"):
        load_schema(tmp_path / "my.yaml")


def test_it_imports_neither_torch_nor_pandas() -> None:
    code = "import sys, crossfade.data.schema; print([m for m in ('torch', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
