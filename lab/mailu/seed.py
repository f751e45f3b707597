"""What a process of Mailu servers is told at its start: in a file that only its owner reads, for it holds passwords."""

from msgspec import Struct

SEED, PORTS = "seed.json", "ports.json"


class SeedUser(Struct, frozen=True):
    """A user to begin with; its domain is made too."""

    email: str
    password: str
    global_admin: bool = False


class SeedServer(Struct, frozen=True):
    """One server: what its `mailu.env` has as API_TOKEN, and its users."""

    api_token: str
    users: list[SeedUser]


class Seed(Struct, frozen=True):
    """All servers of a process. Certificates are pairs of paths: certificate and key."""

    servers: list[SeedServer]
    certificate: tuple[str, str]
    wrong_certificate: tuple[str, str]
    control_secret: str


class SeedPorts(Struct, frozen=True):
    """Where one server listens."""

    https: int
    imaps: int
    smtps: int
    submission: int


class AllPorts(Struct, frozen=True):
    """What the process writes when all listen."""

    control: int
    servers: list[SeedPorts]
