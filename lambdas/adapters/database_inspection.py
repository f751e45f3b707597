"""What a PostgreSQL server of the estate answers when the status asks it, with the caller's own credentials.

Nothing is changed, and no login is tried but the one of the estate's secret: a wrong one would stand in the server's
log, and may lock its role. Where the caller may not read the secret, TLS is begun and ended again.
"""

import contextlib
import socket
import ssl
import struct
from collections.abc import Callable

from lambdas.adapters.aws import AWS_ERRORS, error_code
from lambdas.adapters.database_target import require_major
from lambdas.adapters.inspection import REFUSALS
from lambdas.adapters.postgres import ca_file, login_of
from lambdas.domain.database_errors import DatabaseCertificateRefused, DatabaseUnreachable
from lambdas.domain.estate_database import DatabaseServer, secret_in
from lambdas.domain.failure import as_failure
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.status_facts import DatabaseFacts, Unanswered

_SECONDS = 5.0
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""PostgreSQL manual, "Message Formats", SSLRequest; the answer is one byte, S or N."""
_CREATE = (
    "Store it as JSON with username and password, with a replica in the other region, and name its ARN in the estate."
)


def ask_database(region: str, server: DatabaseServer, database: str, major: int) -> DatabaseFacts:
    """Log in to a database with the secret as `region` has it, or prove the certificate alone where that is not had."""
    try:
        login = login_of(region, server, database)
    except AWS_ERRORS as error:
        code = error_code(error)
        if code == "ResourceNotFoundException":
            return DatabaseFacts(problem=f"There is no secret {secret_in(region, server.secret)}.", hint=_CREATE)
        refused = code in REFUSALS
        why = "these credentials may not read its secret" if refused else f"its secret was not had ({code})"
        unproved = DatabaseFacts(unproved=Unanswered(why, refused))
        return _judged(lambda: prove_certificate(server), unproved)
    except (ValueError, KeyError, TypeError):
        problem = f"The secret {server.secret} does not hold a username and a password."
        return DatabaseFacts(problem=problem, hint=_CREATE)
    return _judged(lambda: require_major(login, major), DatabaseFacts(major=major))


def prove_certificate(server: DatabaseServer) -> None:
    """Begin TLS with a server as libpq does under `verify-full`, and leave.

    Raises `DatabaseUnreachable` and `DatabaseCertificateRefused`.
    """
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.load_verify_locations(ca_file(server.ca))
    try:
        with socket.create_connection((server.host, server.port), _SECONDS) as connection:
            connection.sendall(_SSL_REQUEST)
            answer = connection.recv(1)
            if not answer:
                raise DatabaseUnreachable(host=server.host, port=server.port, problem="it closed the connection")
            if answer != b"S":
                problem = "the server offers no TLS" if answer == b"N" else "the server is no PostgreSQL"
                raise DatabaseCertificateRefused(host=server.host, problem=problem)
            with tls.wrap_socket(connection, server_hostname=server.host) as secured, contextlib.suppress(OSError):
                secured.unwrap()  # an end that is not told would stand in the server's log
    except ssl.SSLError as error:
        problem = str(getattr(error, "verify_message", error.reason)).rstrip(".")
        raise DatabaseCertificateRefused(host=server.host, problem=problem) from None
    except TimeoutError:
        raise DatabaseUnreachable(host=server.host, port=server.port, problem="it took too long") from None
    except OSError as error:
        problem = error.strerror or type(error).__name__
        raise DatabaseUnreachable(host=server.host, port=server.port, problem=problem) from None


def _judged(call: Callable[[], None], proved: DatabaseFacts) -> DatabaseFacts:
    """What is known when a call has done well, or what it raised instead."""
    try:
        call()
    except MailarkError as error:
        failure = as_failure(error)
        if isinstance(error, DatabaseUnreachable):
            return DatabaseFacts(unreached=failure.sentence.removesuffix("."))
        return DatabaseFacts(problem=failure.sentence, hint=failure.hint)
    return proved
