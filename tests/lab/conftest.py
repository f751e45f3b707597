"""The emulator with all of its mends, and a Vault of the platform, for every test that needs them to answer."""

from collections.abc import Iterator

import pytest

from lab.certificates import CertificateAuthority
from lab.mail_servers import MailServers
from lab.tenants import Platform
from tests.lab.emulator import Emulator
from tests.lab.platform_vault import PlatformVaults, platform_of
from tests.servers.vault import VaultServer

Lines = list[tuple[str, str]]
"""Lines of a log, each after its stream."""


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """The lab's CA."""
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def emulator(authority: CertificateAuthority) -> Iterator[Emulator]:
    """The embedded AWS as the lab runs it: in one folder with its CA."""
    aws = Emulator(authority.file.parent, authority)
    yield aws
    aws.stop()


@pytest.fixture(scope="session")
def platform_vaults(
    authority: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PlatformVaults]:
    """Vaults as the lab has them for the platform."""
    vaults = PlatformVaults(tmp_path_factory.mktemp("platform-vaults"), authority)
    yield vaults
    vaults.stop()


@pytest.fixture(scope="session")
def platform_vault(platform_vaults: PlatformVaults) -> VaultServer:
    """One that many tests use, with tenants of their own."""
    return platform_vaults.start()


@pytest.fixture(scope="session")
def platform(platform_vault: VaultServer) -> Platform:
    """The platform, logged in to that Vault."""
    return platform_of(platform_vault)


@pytest.fixture(scope="module")
def lines() -> Lines:
    """Every line of the lab's Mailu, with its stream."""
    return []


@pytest.fixture(scope="module")
def mail(
    tmp_path_factory: pytest.TempPathFactory, authority: CertificateAuthority, lines: Lines
) -> Iterator[MailServers]:
    """The lab's Mailu, with nobody on it."""
    folder = tmp_path_factory.mktemp("mail-servers")
    with MailServers.started(folder, authority, lambda stream, line: lines.append((stream, line))) as mail:
        yield mail
