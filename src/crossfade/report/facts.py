"""When, where and with what a run was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def facts_of(environment: Mapping[str, Any]) -> dict[str, str]:
    """Lines of the table under the command, from a run's environment.json."""
    git = environment.get("git") or {}
    packages = environment.get("packages") or {}
    wanted = ("crossfade", "torch", "pytorch-lightning", "transformers", "timm")
    return {
        "started": str(environment.get("started", "")),
        "in": str(environment.get("folder", "")),
        "commit": f"{git.get('commit', 'no git')}{' and changes (git.diff)' if git.get('dirty') else ''}",
        "machine": f"{environment.get('cpu', {}).get('name', '')}, {environment.get('platform', '')}",
        "packages": ", ".join(f"{name} {packages[name]}" for name in wanted if name in packages),
    }
