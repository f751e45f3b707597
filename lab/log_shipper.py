"""A log agent, as one runs on each real host: ships lines to CloudWatch Logs, in small batches, by a thread."""

import contextlib
import itertools
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

HELD = 20_000
"""Lines that wait for each stream; of more the oldest are dropped."""
_ROUND_SECONDS = 0.2
_AGAIN_SECONDS = 1.0
"""After a refusal."""
_LAST_SECONDS = 5.0
"""For an AWS that does not answer when the agent is stopped."""
_BATCH_LINES = 1000
_BATCH_BYTES = 1_048_576
_OVERHEAD = 26
"""CloudWatch Logs, PutLogEvents: of a batch, its events' text in UTF-8 and so many bytes more for each."""
_GROUP_OR_STREAM_MISSING = "ResourceNotFoundException"
_STREAM_THERE = "ResourceAlreadyExistsException"

_Event = dict[str, Any]


class LogShipper:
    """Ships to one log group. It makes streams there, and never the group, which is the stack's.

    While there is no group, or no AWS, lines wait. A file waits by itself: it is read batch by batch.
    """

    def __init__(self, client: Any, group: str, held: int = HELD) -> None:
        """`client` is one of CloudWatch Logs, closed when the agent stops."""
        self.dropped = 0
        """Lines that nobody will see, because too many waited."""
        self.problem = ""
        """What AWS said last, while lines wait."""
        self._client, self._group, self._held = client, group, held
        self._waiting: defaultdict[str, deque[_Event]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._files: list[_Followed] = []
        self._streams: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"log agent of {group}", daemon=True)

    @contextlib.contextmanager
    def running(self) -> Iterator["LogShipper"]:
        """Ship until the block ends, and then what is left."""
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ship what is there by now, and end. Stop whatever writes first; `waiting` says what could not be shipped."""
        self._stopping.set()
        self._thread.join()
        self._client.close()

    def take(self, stream: str, line: str) -> None:
        """Have a line shipped; at once, whatever AWS does."""
        message = _fitting(line)
        with self._lock:  # the time, too: CloudWatch Logs wants a batch in its order
            lines = self._waiting[stream]
            lines.append({"timestamp": int(time.time() * 1000), "message": message})
            if len(lines) > self._held:
                lines.popleft()
                self.dropped += 1

    def follow(self, file: Path, stream: str) -> None:
        """Have every line of a file shipped, from its beginning; it may not be there yet."""
        self._files.append(_Followed(file, stream))

    @property
    def waiting(self) -> int:
        """Lines that were taken, and are not shipped."""
        with self._lock:
            return sum(map(len, self._waiting.values()))

    def _run(self) -> None:
        while not self._stopping.wait(_AGAIN_SECONDS if self.problem else _ROUND_SECONDS):
            self._ship()
        deadline = time.monotonic() + _LAST_SECONDS
        while not self._ship() and time.monotonic() < deadline and _GROUP_OR_STREAM_MISSING not in self.problem:
            time.sleep(_ROUND_SECONDS)

    def _ship(self) -> bool:
        """Ship all that there is; whether nothing is left."""
        self._read_files()
        while ready := self._streams_with_lines():
            for stream in ready:
                if not self._ship_batch(stream):
                    return False
            self._read_files()
        self.problem = ""
        return True

    def _ship_batch(self, stream: str) -> bool:
        batch = self._next_batch(stream)
        try:
            self._put(stream, batch)
        except (ClientError, BotoCoreError) as error:
            self.problem = str(error)
            self._put_back(stream, batch)
            return False
        return True

    def _put(self, stream: str, batch: list[_Event]) -> None:
        if stream in self._streams:
            with _expected(_GROUP_OR_STREAM_MISSING):  # gone with its group, perhaps
                self._send(stream, batch)
                return
        with _expected(_STREAM_THERE):
            self._client.create_log_stream(logGroupName=self._group, logStreamName=stream)
        self._streams.add(stream)
        self._send(stream, batch)

    def _send(self, stream: str, batch: list[_Event]) -> None:
        self._client.put_log_events(logGroupName=self._group, logStreamName=stream, logEvents=batch)

    def _read_files(self) -> None:
        for each in self._files:
            for line in each.read(_BATCH_LINES - self._waiting_for(each.stream)):
                self.take(each.stream, line)

    def _waiting_for(self, stream: str) -> int:
        with self._lock:
            return len(self._waiting[stream])

    def _streams_with_lines(self) -> list[str]:
        with self._lock:
            return [stream for stream, lines in self._waiting.items() if lines]

    def _next_batch(self, stream: str) -> list[_Event]:
        batch: list[_Event] = []
        size = 0
        with self._lock:
            lines = self._waiting[stream]
            while lines and len(batch) < _BATCH_LINES:
                size += len(lines[0]["message"].encode()) + _OVERHEAD
                if size > _BATCH_BYTES:
                    break
                batch.append(lines.popleft())
        return batch

    def _put_back(self, stream: str, batch: list[_Event]) -> None:
        """To the front, as many of the newest as there is room for by now."""
        with self._lock:
            lines = self._waiting[stream]
            lost = max(0, len(lines) + len(batch) - self._held)
            lines.extendleft(reversed(batch[lost:]))
            self.dropped += lost


class _Followed:
    """A file that somebody appends to."""

    def __init__(self, file: Path, stream: str) -> None:
        self.stream = stream
        self._file, self._position = file, 0

    def read(self, most: int) -> list[str]:
        """The next lines that are whole."""
        found: list[str] = []
        with contextlib.suppress(FileNotFoundError), self._file.open("rb") as file:
            file.seek(self._position)
            for line in itertools.islice(file, max(0, most)):
                if not line.endswith(b"\n"):
                    break  # somebody is still writing it
                self._position += len(line)
                found.append(line.decode(errors="replace").rstrip("\r\n"))
        return [line for line in found if line]  # CloudWatch Logs takes no empty message


@contextlib.contextmanager
def _expected(code: str) -> Iterator[None]:
    """Go on after one kind of refusal."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] != code:
            raise


def _fitting(line: str) -> str:
    """A line alone may be as large as a batch, and no larger."""
    raw = line.encode()
    most = _BATCH_BYTES - _OVERHEAD
    return line if len(raw) <= most else raw[:most].decode(errors="ignore")
