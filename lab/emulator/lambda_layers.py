"""A layer is unpacked once, not once a worker: thirty functions would unpack 60 MB each, and compile it each.

The layer's zip is replaced by one whose `.pth` file points to the shared, unpacked copy. That is only time; what a
test could see is that programs in it can be run, as on AWS: the emulator's own unpacking drops the files' modes.
"""

import hashlib
import io
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import Any

from ministack.services import lambda_svc

_ONE_AT_A_TIME = threading.Lock()
_POINTER = "import sys; sys.path.insert(0, {path!r})\n"


def apply() -> None:
    resolve = lambda_svc._resolve_layer_zip
    pointers: dict[int, bytes] = {}

    def resolve_once(reference: Any) -> bytes | None:
        content: bytes | None = resolve(reference)
        if not content:
            return content
        known = hash(content)
        if known not in pointers:
            pointers[known] = _pointer_to(_unpacked(content) / "python")
        return pointers[known]

    lambda_svc._resolve_layer_zip = resolve_once


def _unpacked(content: bytes) -> Path:
    target = Path(tempfile.gettempdir()) / f"layer-{hashlib.sha256(content).hexdigest()[:16]}"
    with _ONE_AT_A_TIME:  # a burst of events starts many workers at once
        if not target.exists():
            unfinished = Path(tempfile.mkdtemp(dir=target.parent))
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                lambda_svc._extract_zip_preserving_mode(archive, str(unfinished))
            unfinished.rename(target)
    return target


def _pointer_to(path: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("python/lib/python3/site-packages/layer.pth", _POINTER.format(path=str(path)))
    return buffer.getvalue()
