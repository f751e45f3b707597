"""`python -m lab.mailu FOLDER`: the Mailu servers that `FOLDER/seed.json` describes, until SIGTERM.

When all listen, `FOLDER/ports.json` says where. The log of the server N is `FOLDER/mailu-N.log`.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path

import msgspec
from aiohttp import web

from lab.certificates import Certificate
from lab.mailu.control import Control
from lab.mailu.log import Sink
from lab.mailu.seed import PORTS, SEED, Seed
from lab.mailu.server import Certificates, MailuServer
from lab.processes import LOOPBACK


async def _serve(folder: Path) -> None:
    seed = msgspec.json.decode((folder / SEED).read_bytes(), type=Seed)
    right, wrong = (Certificate(Path(each[0]), Path(each[1])) for each in (seed.certificate, seed.wrong_certificate))
    servers = []
    for number, described in enumerate(seed.servers):
        server = MailuServer(Certificates(right, wrong), described.api_token, _file(folder / f"mailu-{number}.log"))
        for user in described.users:
            server.state.add_user(user.email, user.password, global_admin=user.global_admin)
        await server.start()
        servers.append(server)
    runner = web.AppRunner(Control(servers, seed.control_secret).application(), access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    ports = {
        "control": runner.addresses[0][1],
        "servers": [msgspec.to_builtins(server.ports) for server in servers],
    }
    whole = folder / f"{PORTS}.part"
    whole.write_text(json.dumps(ports))
    whole.rename(folder / PORTS)  # whoever waits for it finds it whole
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    for server in servers:
        await server.stop()
    await runner.cleanup()


def _file(path: Path) -> Sink:
    file = path.open("a", buffering=1)
    return lambda line: print(line, file=file)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
