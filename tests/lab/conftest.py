"""The emulator with all of its mends, for every test that needs AWS to answer."""

from collections.abc import Iterator

import pytest

from lab.certificates import CertificateAuthority
from tests.lab.emulator import Emulator


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
