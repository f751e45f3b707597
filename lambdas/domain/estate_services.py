"""The part of the estate that is a database's services: how they are stopped, started and proved to work."""

import re
from typing import Annotated

from msgspec import Meta, Struct

from lambdas.domain.parsing import Problem
from lambdas.domain.pem import check_certificates

_CONTROL = r"^(supervisord|ssm)\Z"
_SERVICE = r"^[a-z][a-z0-9_-]{0,62}\Z"
_HEALTH = r"^(https?://[A-Za-z0-9][A-Za-z0-9.:-]*(/[^\s#]*)?|smtp://[A-Za-z0-9][A-Za-z0-9.-]*(:\d{1,5})?)\Z"
_CONTROL_ADDRESS = r"^https://[A-Za-z0-9][A-Za-z0-9.-]*(:\d{1,5})?\Z"
_ARN = r"^arn:aws[a-z-]*:.+\Z"
_INSTANCE = r"^m?i-[0-9a-f]{8,17}\Z"
_DIRECTORY = r"^(/[A-Za-z0-9._][A-Za-z0-9._-]*)+\Z"

SERVICES_PATTERNS = {
    _CONTROL: "supervisord or ssm",
    _SERVICE: "the name of a service such as smtp-receiver, in lower case",
    _HEALTH: "an http:// or https:// URL without a user, a fragment or a space, or smtp:// with a host and a port",
    _CONTROL_ADDRESS: "an address without a path such as https://host.example.org:9443",
    _ARN: "an ARN",
    _INSTANCE: "the id of a host in SSM such as i-0123456789abcdef0 or mi-0123456789abcdef0",
    _DIRECTORY: "the absolute path of a directory such as /srv/smtpy",
}


class Services(Struct, frozen=True, forbid_unknown_fields=True):
    """The services that use a database.

    `names` is the order in which they are stopped. Each URL of `health` must answer 200 once they run again, or greet
    and answer EHLO where it begins with `smtp://`.
    With `supervisord`, `address` is its API behind TLS, and `secret` the ARN of a secret in Secrets Manager: JSON with
    `username` and `password`. With `ssm`, `instance_id` is the host, and `directory` there holds the Compose file.
    `ca` is PEM, left out for public certificates: of the control and, beside the public ones, of the health URLs.
    """

    control: Annotated[str, Meta(pattern=_CONTROL)]
    names: Annotated[list[Annotated[str, Meta(pattern=_SERVICE)]], Meta(min_length=1)]
    health: Annotated[list[Annotated[str, Meta(pattern=_HEALTH)]], Meta(min_length=1)]
    address: Annotated[str, Meta(pattern=_CONTROL_ADDRESS)] = ""
    secret: Annotated[str, Meta(pattern=_ARN)] | None = None
    ca: str = ""
    instance_id: Annotated[str, Meta(pattern=_INSTANCE)] = ""
    directory: Annotated[str, Meta(pattern=_DIRECTORY)] = "/srv/smtpy"

    @property
    def starting_order(self) -> list[str]:
        """Last stopped, first started."""
        return self.names[::-1]


def is_service_name(name: str) -> bool:
    """Whether a name may stand in a command as it is."""
    return re.match(_SERVICE, name) is not None


def is_directory(path: str) -> bool:
    """Whether a path may stand in a command as it is."""
    return re.match(_DIRECTORY, path) is not None


def check_services(services: Services, key: str) -> None:
    """What one key alone cannot show; `key` is where they stand, such as `database.services`. Raises `Problem`."""
    needed = {"supervisord": {"address", "secret"}, "ssm": {"instance_id"}}
    for control, keys in needed.items():
        for each in sorted(keys):
            if control == services.control and not getattr(services, each):
                raise Problem(f"{key}.{each}", f"this key is required with {control}, and missing")
            if control != services.control and getattr(services, each):
                raise Problem(f"{key}.{each}", f"expected with {control} only")
    for i, name in enumerate(services.names):
        if name in services.names[:i]:
            raise Problem(f"{key}.names[{i}]", f"this name stands twice, got '{name}'")
    if services.ca:
        check_certificates(f"{key}.ca", services.ca)
