"""The page on robustness has every corruption with the severities of its YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfade.registry import corruptions, read_option

PAGE = (Path(__file__).parents[2] / "docs" / "robustness.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in corruptions().items() for name in names])
def test_its_row_is_that_of_the_yaml(kind, name):
    severities = ", ".join(map(str, read_option(f"corruption/{kind}", name)["severities"]))
    assert f"| {kind} | {name} | {severities} |" in PAGE
