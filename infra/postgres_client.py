"""PostgreSQL's client programs as a layer: `/opt/python/pgclient/<major>/bin/pg_dump`, one folder a major version.

One for each major version of the estate's servers: pg_dump refuses a server that is newer, and what a newer pg_dump
writes an older server does not load. Beside the programs, in `lib`, are the shared libraries that they need.
"""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.build import built
from infra.code import Platform
from infra.postgres_wheels import installation, recipe

PROGRAMS = ("pg_dump", "pg_dumpall", "psql")
_LIBRARIES = (
    "libpq.so.5",
    "libssl.so.3",
    "libcrypto.so.3",
    "libgssapi_krb5.so.2",
    "libkrb5.so.3",
    "libk5crypto.so.3",
    "libkrb5support.so.0",
    "libcom_err.so.2",
    "libkeyutils.so.1",
    "libselinux.so.1",
    "libpcre2-8.so.0",
    "liblz4.so.1",
    "libzstd.so.1",
    "libz.so.1",
    "libreadline.so.8",
    "libtinfo.so.6",
)
"""What the programs ask for, and what that asks for in turn, glibc left out."""


def postgres_client_layer(scope: Construct, platform: Platform, majors: Iterable[str]) -> lambda_.LayerVersion:
    """The layer of client programs for these major versions, such as `["16", "17"]`. Raises as `client_folder`."""
    majors = sorted(set(majors))
    return lambda_.LayerVersion(
        scope,
        "PostgresClient",
        code=lambda_.Code.from_asset(str(client_folder(platform, majors)), asset_hash=_digest(platform, majors)),
        compatible_runtimes=[platform.runtime],
        compatible_architectures=[platform.processor],
        description=f"Client programs of PostgreSQL {', '.join(majors)}",
    )


def client_folder(platform: Platform, majors: Iterable[str]) -> Path:
    """The layer's content, built once: `python/pgclient/<major>/bin` and `lib`; put its `python` on `sys.path`.

    Raises `KeyError` for a major version that cannot be had, and `subprocess.CalledProcessError` when a download fails.
    """
    majors = sorted(set(majors))

    def fill(folder: Path) -> None:
        for major in majors:
            source, target = installation(major, platform.architecture), folder / "python" / "pgclient" / major
            for part, names in (("bin", PROGRAMS), ("lib", _LIBRARIES)):
                (target / part).mkdir(parents=True)
                for name in names:
                    shutil.copy(source / part / name, target / part)
            shutil.copy(source / "COPYRIGHT", target)

    return built(f"postgres-client-{_digest(platform, majors)[:16]}", fill)


def _digest(platform: Platform, majors: Iterable[str]) -> str:
    """Names the content: what it is made from, not the files, whose times differ."""
    made_from = [*PROGRAMS, *_LIBRARIES, *(recipe(major, platform.architecture) for major in majors)]
    return hashlib.sha256("\n".join(made_from).encode()).hexdigest()
