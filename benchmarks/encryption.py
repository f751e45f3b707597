"""Encryption out and in at 1 GB, to a stub of S3, against the SDK and bare AES-GCM; and the memory that it takes."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.figures import Figure, figure, ratio
from benchmarks.stand_ins import s3
from infra.names import key_alias
from lab.aws import ROOT
from lab.lab import Lab, Progress

_SMALL, _LARGE = 200, 1000
_ROUNDS = 3
_FLAT = 1.1
"""Constant memory: five times the bytes may take a tenth more at most."""


@dataclass(frozen=True)
class _Passed:
    seconds: float
    peak: int


def encryption(lab: Lab, progress: Progress) -> list[Figure]:
    """Measure, in interleaved rounds."""
    with s3(lab.folder, lab.authority) as endpoint:
        environment = _environment(lab, endpoint)
        progress(f"Encryption: {_SMALL} MB, for the memory")
        small = {way: _pass(way, _SMALL, environment) for way in ("out", "in")}
        large: dict[str, list[_Passed]] = defaultdict(list)
        for number in range(_ROUNDS):
            progress(f"Encryption: {_LARGE} MB, round {number + 1} of {_ROUNDS}")
            for way in ("out", "sdk-out", "bare-out", "in", "sdk-in", "bare-in"):
                large[way].append(_pass(way, _LARGE, environment))
    return [
        each
        for way, word in (("out", "seal and store"), ("in", "read and open"))
        for each in _figures(way, f"{word} 1 GB", small[way], large)
    ]


def _figures(way: str, name: str, small: _Passed, large: dict[str, list[_Passed]]) -> Iterator[Figure]:
    seconds = {each: [passed.seconds for passed in large[each]] for each in large}
    yield ratio(name, seconds[way], seconds[f"sdk-{way}"], "the AWS Encryption SDK alone, in memory")
    yield ratio(
        f"{name}, against AES", seconds[way], seconds[f"bare-{way}"], "AES-256-GCM of `cryptography`, in memory"
    )
    peak = max(passed.peak for passed in large[way])
    against = f"200 MB: {peak / 1e6:.0f} MB of memory against {small.peak / 1e6:.0f} MB"
    yield figure(f"{name}, peak of memory", peak / small.peak, "×", against, goal=_FLAT)


def _environment(lab: Lab, endpoint: str) -> dict[str, str]:
    key = lab.client("kms").describe_key(KeyId=key_alias("backup"))["KeyMetadata"]["Arn"]
    return lab.aws.environment() | {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "AWS_REGION": lab.primary,
        "AWS_ENDPOINT_URL_S3": endpoint,
        "BENCH_KEY": key,
        "BENCH_PUBLIC_KEY": lab.estate.offline_public_key,
        "BENCH_PRIVATE_KEY": lab.offline.private.read_text(),
    }


def _pass(way: str, megabytes: int, environment: dict[str, str]) -> _Passed:
    command = [sys.executable, "-m", "benchmarks.stream", way, str(megabytes)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{way} failed: {done.stderr[-2000:]}")
    return _Passed(**json.loads(done.stdout))
