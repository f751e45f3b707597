"""The embedded AWS: MiniStack in an environment of its own, with IAM enforced, on loopback with TLS."""

import json
import os
import ssl
import sys
import urllib.request
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from lab.certificates import CertificateAuthority
from lab.processes import LOOPBACK, LabError, Server

ROOT = Path(__file__).resolve().parent.parent
ACCOUNT = "000000000000"
ROOT_KEY = "test"
"""MiniStack takes this access key, with the same secret, for the account's root."""

_EMULATOR = ROOT / ".venv-emulator" / "bin" / "python"
_LIMITS = Config(connect_timeout=5, read_timeout=120, retries={"mode": "standard", "total_max_attempts": 3})


class Aws:
    """A running emulator. `endpoint` is where it answers, `ca` the bundle that its certificate is verified with."""

    def __init__(self, folder: Path, port: int, authority: CertificateAuthority, left_out: str = "") -> None:
        if not _EMULATOR.exists():
            raise LabError("The emulator is not installed. Run `make install`, then this again.")
        self.folder, self.port = folder, port
        self.endpoint = f"https://{LOOPBACK}:{port}"
        self.ca = _bundle(folder, authority)
        issued = authority.issue("aws")
        temporary = folder / "aws"
        temporary.mkdir()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": str(temporary),
            "PYTHONPATH": str(ROOT),
            "AUTH": "true",
            "USE_SSL": "1",
            "MINISTACK_SSL_CERT": str(issued.certificate),
            "MINISTACK_SSL_KEY": str(issued.key),
            "GATEWAY_PORT": str(port),
            "BIND_HOST": LOOPBACK,
            "MINISTACK_HOST": LOOPBACK,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": "unix:///nonexistent",
            "LOG_LEVEL": "INFO",
            "LEAVE_OUT": left_out,
        }
        command = [str(_EMULATOR), "-m", "lab.emulator"]
        self.server = Server("MiniStack", command, environment, temporary, folder / "ministack.log")
        self.server.wait_until(self._answers)

    def stop(self) -> None:
        self.server.stop()

    def _answers(self) -> bool:
        try:
            self._open("/_ministack/health")
        except OSError:
            return False
        return True

    def mails(self) -> list[dict[str, Any]]:
        """What Amazon SES has sent, oldest first: `Source`, `To`, `Subject` and `BodyText` of each."""
        by_account: dict[str, list[dict[str, Any]]] = json.loads(self._open("/_ministack/ses/messages"))["messages"]
        return by_account.get(ACCOUNT, [])

    def _open(self, path: str, method: str = "GET") -> bytes:
        context = ssl.create_default_context(cafile=str(self.ca))
        request = urllib.request.Request(self.endpoint + path, method=method)  # noqa: S310  # our own endpoint
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310  # likewise
            return bytes(answer.read())

    def let_schedule_come(self, region: str, rule: str) -> None:
        """Let the time of a scheduled rule come: it fires within a second, as deployed."""
        self._open(f"/_lab/schedule/{region}/{rule}", method="POST")

    def let_hours_pass(self, region: str, hours: float) -> None:
        """Let hours pass for what has been measured in a region: its alarms see it at once."""
        self._open(f"/_lab/hours/{region}/{hours}", method="POST")

    def client(self, service: str, region: str, key: tuple[str, str] = (ROOT_KEY, ROOT_KEY)) -> Any:
        """A client of the emulator, as root or with a user's access key."""
        return boto3.client(  # type: ignore[call-overload]  # boto3's types want a literal
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            verify=str(self.ca),
            aws_access_key_id=key[0],
            aws_secret_access_key=key[1],
            config=_LIMITS,
        )

    def environment(self, key: tuple[str, str] = (ROOT_KEY, ROOT_KEY)) -> dict[str, str]:
        """What a command line tool needs to talk to the emulator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_CA_BUNDLE": str(self.ca),
            "NODE_EXTRA_CA_CERTS": str(self.ca),
            "AWS_ACCESS_KEY_ID": key[0],
            "AWS_SECRET_ACCESS_KEY": key[1],
        }


def interpreter() -> str:
    """The Python version that the emulator, and so every function in it, runs on: `3.11`."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _bundle(folder: Path, authority: CertificateAuthority) -> Path:
    """The system's CAs and the lab's: the variables that name a bundle replace the system's."""
    system = ssl.get_default_verify_paths()
    own = next((path for path in (system.cafile, system.openssl_cafile) if path and Path(path).exists()), None)
    bundle = folder / "trusted.pem"  # not ca-bundle.pem: MiniStack writes that one beside its certificate
    bundle.write_text((Path(own).read_text() if own else "") + "\n" + authority.pem)
    return bundle
