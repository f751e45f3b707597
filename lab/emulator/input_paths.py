"""The paths of a rule's input reach into lists: `$.detail.configuration.metrics[0].metricStat`.

MiniStack takes `metrics[0]` for a name, finds nothing of it, and puts an empty text in its place (EventBridge guide,
"Input transformation": paths are JSON paths, with indexes).
"""

import re
from collections.abc import Mapping
from typing import Any

from ministack.services import eventbridge

_INDEX = re.compile(r"\[(\d+)\]")


class _Indexed(list[Any]):
    """A list that takes the number of an entry as text, as MiniStack's walk along a path has it."""

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(int(index) if isinstance(index, str) else index)


class _View:
    """An event whose lists can be walked through."""

    def __init__(self, view: Any) -> None:
        self._view = view

    def event_with_detail(self) -> Any:
        return _walkable(self._view.event_with_detail())

    def envelope(self) -> Any:
        return self._view.envelope()


def apply() -> None:
    if not hasattr(eventbridge, "_apply_input_transformer"):
        raise RuntimeError("MiniStack makes inputs in another way now: see lab/emulator/input_paths.py")
    transform = eventbridge._apply_input_transformer

    def transform_with_indexes(transformer: Mapping[str, Any], rule: Any, view: Any) -> Any:
        paths = {name: _INDEX.sub(r".\1", path) for name, path in (transformer.get("InputPathsMap") or {}).items()}
        return transform({**transformer, "InputPathsMap": paths}, rule, _View(view))

    eventbridge._apply_input_transformer = transform_with_indexes


def _walkable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _walkable(each) for name, each in value.items()}
    return _Indexed(map(_walkable, value)) if isinstance(value, list) else value
