"""docs/fusion.md: up to date, and its formulas hold."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

import tiny

SCRIPT = Path(__file__).parents[2] / "docs" / "fusion_table.py"
specification = importlib.util.spec_from_file_location("fusion_table", SCRIPT)
assert specification is not None
assert specification.loader is not None
table = importlib.util.module_from_spec(specification)
sys.modules["fusion_table"] = table  # where a dataclass looks for its module
specification.loader.exec_module(table)

SIZES = [(1, 1, 8), (2, 3, 16), (4, 2, 8)]  # M, K, D
OTHER_FIELDS = {"rank": 3, "hidden": 6, "experts": 3, "latents": 5, "layers": 3, "mlp_ratio": 1.5, "reduction": 3}


@pytest.mark.parametrize("name", tiny.options("fusion"))
def test_the_cost_is_what_is_built_and_counted(name):
    strategy = table.read(name)
    other = {key: value for key, value in OTHER_FIELDS.items() if key in strategy.fields}
    for size in SIZES:
        for changes in [{}, other] if other else [{}]:
            fusion = strategy.build(*size, **changes)
            assert table.count_parameters(fusion) == strategy.value(strategy.parameters, *size, **changes), (
                size,
                changes,
            )
            assert table.count_flops(fusion, *size) == strategy.value(strategy.flops, *size, **changes), (size, changes)


def test_the_page_is_up_to_date():
    assert table.PAGE.read_text(encoding="utf-8") == table.page(), "run python docs/fusion_table.py"


def test_the_page_has_every_strategy_once():
    rows = [line.split("`")[1] for line in table.page().splitlines() if line.startswith("| `")]
    assert sorted(rows) == tiny.options("fusion")
