"""Check whether a server can take a dump, before anything is stopped for it: nothing is changed."""

import contextlib
from dataclasses import dataclass

from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.database_target import Place, database_target, server_of
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.postgres import Login, connected, is_passing, login_of
from lambdas.adapters.restorable import require_restorable, require_room
from lambdas.adapters.signing import SigningKey
from lambdas.domain.damage import Verdict
from lambdas.domain.database_errors import DatabaseAnswersAgain, DatabaseMissing, DatabaseUnreachable
from lambdas.domain.database_manifest import DatabaseManifest
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.manifest import of_kind
from lambdas.domain.operation import Operation

_SECONDS = 15


@dataclass(frozen=True)
class CheckRestore:
    """`assessed` is what the assessment came to; `even_if_sound` is what a person may allow."""

    operation: Operation
    backup_id: str
    place: Place = "live"
    assessed: Verdict | None = None
    even_if_sound: bool = False


@dataclass(frozen=True)
class RestoreChecked:
    """`host` is the server that takes it; `live_answers` is whether there is a live database to save a dump of."""

    host: str
    backup_id: str
    live_answers: bool


@action(CheckRestore)
def handler(request: CheckRestore, run: Run) -> RestoreChecked:
    settings = run.settings
    target = database_target(settings.region, request.operation, request.place)
    login = target.login
    catalog = Catalog(settings.region, settings["CATALOG_TABLE"])
    row = catalog.get(request.backup_id)
    store, signer = BackupStore(settings.region, settings["BACKUP_BUCKET"]), SigningKey(settings["EVIDENCE_KEY"])
    signed = store.signed_manifest(row.id, row.key, signer, row.manifest_version)
    manifest = of_kind(signed, DatabaseManifest)
    require_restorable(login, manifest, catalog, request.operation)
    if request.place != "live":  # a disk that is full for an instant is nothing for a server that services write to
        require_room(login, manifest)
    if request.place == "fresh":  # on the live server the services log in all the time
        database = target.database
        _require_login(
            login_of(settings.region, server_of(database, request.place), database.name, database.service_secret)
        )
    live = login_of(settings.region, target.database.server, target.database.name)
    answers = _answers(live)
    if request.assessed == "unreachable" and answers and not request.even_if_sound:  # nobody has looked into it
        raise DatabaseAnswersAgain(host=live.host, database=live.database)
    return RestoreChecked(login.host, row.id, answers)


def _require_login(service: Login) -> None:
    """The services' own role gets in: a server looks at who asks, and only then whether it has that database."""
    with contextlib.suppress(DatabaseMissing), connected(service, _SECONDS):
        pass


def _answers(live: Login) -> bool:
    """Whether the live database takes connections, or its server will when it has started, or has sessions to spare."""
    try:
        with connected(live, _SECONDS):
            return True
    except DatabaseUnreachable as error:
        return is_passing(error)
    except MailarkError:
        return False
