"""Real damage to a real database: pages of a table's own file are overwritten, as a failing disk does."""

from lab.forwarding_service import DATABASE
from lab.postgres import PostgresServer

_PAGE_BYTES = 8192
_PAGES = (3, 40, 41)


def damage_pages(server: PostgresServer, table: str = "messages") -> None:
    """Overwrite some pages of a table, and let the server forget what it has in memory."""
    path = str(server.query(f"select pg_relation_filepath('{table}')", DATABASE)[0][0])
    server.stop()
    with (server.data / path).open("r+b") as heap:
        for page in _PAGES:
            heap.seek(page * _PAGE_BYTES + 200)
            heap.write(b"\xff\xfe\xaa\x55" * 1500)
    server.start()
    server.wait_until_ready()
