"""Writes docs/fusion.md: what each strategy computes, where it is from, what it costs and what absence does to it.

    python docs/fusion_table.py

All of it stands in the docstrings of the classes that conf/fusion names. The formulas of the cost are checked against
the built modules (parameters) and against PyTorch's FLOP counter by tests/fusion/test_strategy_table.py, which
also fails where the page is not up to date.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from crossfade.allowed import find_class
from crossfade.fusion.base import Fusion
from crossfade.registry import groups, read_option

PAGE = Path(__file__).with_name("fusion.md")
SYMBOLS = {"rank": "R", "hidden": "H", "experts": "E", "latents": "N", "layers": "T", "mlp_ratio": "r"}
MEASURED = (3, 8, 64)  # M, K, D of the two columns with numbers

FAMILIES = {  # the folders of crossfade.fusion, in the order of the page
    "elementwise": "Element by element",
    "concat": "Concatenation",
    "sets": "Sets",
    "gated": "Gated and conditioned",
    "tensor": "Bilinear and tensor",
    "attention": "Attention",
    "latents": "Attention by way of latents, or level by level",
    "experts": "Mixture of experts",
    "late": "Decisions",
    "robust": "Made for absence",
}


@dataclass(frozen=True)
class Strategy:
    """One row: the parts of a class's docstring, and its YAML's fields."""

    name: str
    kind: type[Fusion]
    fields: dict[str, Any]
    equation: str
    output: str
    absent: str
    source: str
    parameters: str
    flops: str
    note: str

    def build(self, modalities: int, tokens: int, width: int, **changes: Any) -> Fusion:
        torch.manual_seed(0)
        names = tuple(f"m{i}" for i in range(modalities))
        return self.kind(names, width, tokens, **{**self.fields, **changes})

    def value(self, formula: str, modalities: int, tokens: int, width: int, **changes: Any) -> float:
        """A formula of the cost with its letters filled in."""
        fields = {**self.fields, **changes}
        known: dict[str, float] = {"M": modalities, "K": tokens, "D": width}
        known |= {SYMBOLS[name]: value for name, value in fields.items() if name in SYMBOLS}
        if "reduction" in fields:
            known["H"] = max(1, modalities * width // fields["reduction"])
        return float(
            eval(formula.replace("·", "*").replace("²", "**2").replace("^", "**"), {"__builtins__": {}}, known)
        )


def read(name: str) -> Strategy:
    """The strategy of this name; raises ValueError where its docstring lacks a part."""
    option = read_option("fusion", name)
    kind = find_class(option["_target_"])
    text = inspect.getdoc(kind) or ""
    shape = re.match(r"(?P<equation>.*): \(B, M, K, D\) → \((?P<output>.*)\)\.\n", text)
    labelled = dict(re.findall(r"^(Absent|Source|Cost): (.*)$", text, re.MULTILINE))
    cost = re.match(r"(?P<parameters>.*) parameters, (?P<flops>.*?) FLOPs(; (?P<note>.*))?$", labelled.get("Cost", ""))
    if shape is None or cost is None or not {"Absent", "Source"} <= labelled.keys():
        raise ValueError(f"{kind.__name__}: its docstring needs equation, shapes, Absent, Source and Cost")
    fields = {key: (None if value == "${alpha}" else value) for key, value in option.items() if key != "_target_"}
    return Strategy(
        name=name,
        kind=kind,
        fields=fields,
        equation=shape["equation"].replace("`", ""),
        output=shape["output"],
        absent=labelled["Absent"],
        source=labelled["Source"],
        parameters=cost["parameters"],
        flops=cost["flops"],
        note=cost["note"] or "",
    )


def count_parameters(fusion: Fusion) -> int:
    return sum(p.numel() for p in fusion.parameters())


def count_flops(fusion: Fusion, modalities: int, tokens: int, width: int) -> int:
    """FLOPs of the matrix products of one sample's forward pass, 2 a multiplication with its addition."""
    x, mask = torch.randn(1, modalities, tokens, width), torch.ones(1, modalities, tokens, dtype=torch.bool)
    fusion = fusion.eval().requires_grad_(False)
    # the fused kernels of attention are no matrix products to the counter
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        fusion(x, mask)
    return counter.get_total_flops()


def short(number: float) -> str:
    """512, 12.4 k, 3.8 M."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number:.0f}"


def row(strategy: Strategy) -> str:
    fusion = strategy.build(*MEASURED)
    output = {"B, 1, K, D": "K tokens", "B, 1, M·K, D": "M·K tokens", "B, M, K, D": "M branches"}[strategy.output]
    cells = [
        f"`{strategy.name}`",
        f"`{strategy.equation}`".replace("|", "\\|"),
        output,
        strategy.absent,
        strategy.parameters,
        strategy.flops + (f"; {strategy.note}" if strategy.note else ""),
        f"{short(count_parameters(fusion))} / {short(count_flops(fusion, *MEASURED))}",
        strategy.source,
    ]
    return "| " + " | ".join(cells) + " |"


def page() -> str:
    """The whole of docs/fusion.md."""
    modalities, tokens, width = MEASURED
    every = [read(name) for name in groups()["fusion"]]
    letters = ", ".join(f"{symbol} = `{field}`" for field, symbol in SYMBOLS.items())
    lines = [
        "# Fusion strategies",
        "",
        "<!-- written by `python docs/fusion_table.py` from the docstrings in src/crossfade/fusion; do not edit -->",
        "",
        f"{len(every)} strategies, chosen with `fusion=<name>`. All take any number of modalities M, vectors or tokens "
        "(K per modality, of width D), masks, and every presence pattern; each is checked for that by "
        "`pytest tests/test_strategies.py -k <name>`, and against its equation in `tests/fusion`. "
        "Sums, means and softmaxes run over the modalities present.",
        "",
        "Output: K tokens (positions kept, modalities joined), M·K tokens (modalities kept apart; the core joins "
        "them), or M branches (each modality decides alone; the decisions are mixed).",
        "",
        "Cost: parameters, and FLOPs a sample, forward, of the matrix products (element by element work is not "
        f"counted), of the fusion alone. The letters are fields: {letters}; for mmtm H = ⌊M·D / `reduction`⌋. "
        f"The last column but one is counted with the defaults at M = {modalities}, K = {tokens}, D = {width}: "
        "`python docs/fusion_table.py`. How long they take: `python benchmarks/fusion.py`.",
    ]
    for family, title in FAMILIES.items():
        found = [s for s in every if s.kind.__module__.startswith(f"crossfade.fusion.{family}.")]
        lines += ["", f"## {title}", ""]
        lines += ["| fusion | equation | output | a modality is absent | parameters | FLOPs | counted | source |"]
        lines += ["|---|---|---|---|---|---|---|---|", *map(row, found)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
