"""What runs inside Lambda: our own code as one asset, and third-party packages as one layer, built without Docker."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.build import ROOT, UV_PLATFORMS, built

_REQUIREMENTS = ROOT / "lambdas" / "requirements.txt"


@dataclass(frozen=True)
class Platform:
    """The interpreter (`3.13`) and the processor (`arm64`, `x86_64`) that functions run on."""

    python: str
    architecture: str

    @property
    def runtime(self) -> lambda_.Runtime:
        return lambda_.Runtime(f"python{self.python}", lambda_.RuntimeFamily.PYTHON)

    @property
    def processor(self) -> lambda_.Architecture:
        return lambda_.Architecture.ARM_64 if self.architecture == "arm64" else lambda_.Architecture.X86_64


def own_code(platform: Platform) -> lambda_.AssetCode:
    """The package `lambdas`, as it is imported: `lambdas.actions.verify_backup.handler`.

    Its folder is named after its content and never written again: another synth may be reading it.
    """
    source = ROOT / "lambdas"
    files = sorted(path for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc")
    content = hashlib.sha256()
    for file in files:
        content.update(f"{file.relative_to(source)}|{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())

    def copy(folder: Path) -> None:
        shutil.copytree(source, folder / "lambdas", ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        _compile(folder, platform, "/var/task")

    return _asset("code", content.hexdigest(), platform, copy)


def third_party_layer(scope: Construct, platform: Platform) -> lambda_.LayerVersion:
    """The layer of third-party packages, built once for each set of requirements and platform."""
    return lambda_.LayerVersion(
        scope,
        "ThirdParty",
        code=_third_party(platform),
        compatible_runtimes=[platform.runtime],
        compatible_architectures=[platform.processor],
        description="Third-party packages of Mailark",
    )


def _third_party(platform: Platform) -> lambda_.AssetCode:
    def install(folder: Path) -> None:
        command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-compile-bytecode"]
        command += ["--target", str(folder / "python"), "--requirements", str(_REQUIREMENTS)]
        command += ["--python-version", platform.python, "--python-platform", UV_PLATFORMS[platform.architecture]]
        command += ["--only-binary", ":all:"]
        subprocess.run(command, check=True)  # noqa: S603  # our own arguments
        _compile(folder, platform, "/opt")

    return _asset("layer", _REQUIREMENTS.read_text(), platform, install)


def _asset(name: str, content: str, platform: Platform, fill: Callable[[Path], None]) -> lambda_.AssetCode:
    """What `fill` makes of `content`, under a hash of what it is made from: bytecode is not the same twice."""
    compiled = "compiled" if _is_own(platform) else ""
    recipe = f"{platform.python}|{platform.architecture}|{compiled}|{content}"
    digest = hashlib.sha256(recipe.encode()).hexdigest()
    return lambda_.Code.from_asset(str(built(f"{name}-{digest[:16]}", fill)), asset_hash=digest)


def _is_own(platform: Platform) -> bool:
    """Whether functions run on this very version of Python."""
    return platform.python == f"{sys.version_info.major}.{sys.version_info.minor}"


def _compile(folder: Path, platform: Platform, deployed: str) -> None:
    """Add bytecode, where this interpreter can make it: without, each new sandbox compiles for seconds."""
    if _is_own(platform):
        # Isolated, since a variable may send bytecode elsewhere; unchecked, since what is deployed does not change.
        command = [sys.executable, "-I", "-m", "compileall", "-q", "-q", "--invalidation-mode", "unchecked-hash"]
        command += ["-s", str(folder), "-p", deployed, str(folder)]
        subprocess.run(command, check=False)  # noqa: S603  # a file for another version of Python stays as it is
