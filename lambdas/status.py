"""`python -m lambdas.status`: what is protected, how old and how far proved, what ran last, what would fail now.

It is the first thing to ask at night. It asks with the credentials of your shell, changes nothing, and answers within
seconds also when a region is gone. It ends with 0 (good), 1 (not good) or 2 (it could not tell).
"""

import argparse
import json
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError

from lambdas import actions
from lambdas.adapters.aws import AWS_ERRORS, brief_calls, client, error_code, lacks_identity
from lambdas.adapters.database_inspection import ask_database
from lambdas.adapters.estate_parameter import PARAMETER
from lambdas.adapters.inspection import Inspection, answer
from lambdas.adapters.postgres import MAINTENANCE
from lambdas.adapters.settings import shell_region
from lambdas.adapters.vault import find_leader
from lambdas.domain.errors import EstateInvalid
from lambdas.domain.estate import Estate, Vault, parse_estate
from lambdas.domain.failure import as_failure
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.status import EXIT_CODES, report
from lambdas.domain.status_facts import DatabaseFacts, Facts, Unanswered, VaultFacts
from lambdas.domain.status_text import as_data, as_text
from lambdas.domain.vault_errors import VaultUnreachable


class _Untold(Exception):
    """Why nothing can be told: a sentence of fact, and what to do."""

    def __init__(self, fact: str, cure: str) -> None:
        super().__init__(f"{fact}\nNext: {cure}")


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    given = _arguments(arguments)
    try:
        with brief_calls():
            facts = _facts(given)
        found = report(facts, datetime.now(UTC))
    except EstateInvalid as error:  # every scenario would fail by it
        print(error, file=sys.stderr)  # noqa: T201  # a command line tool
        return EXIT_CODES["not good"]
    except (_Untold, *AWS_ERRORS, OSError) as error:
        print(error if isinstance(error, _Untold) else _in_words(error), file=sys.stderr)  # noqa: T201  # as above
        return EXIT_CODES["unknown"]
    if given.json:
        text = json.dumps(as_data(found, every_backup=given.all), indent=2) + "\n"
    else:
        text = as_text(found, every_backup=given.all, colour=sys.stdout.isatty())
    sys.stdout.write(text)
    return EXIT_CODES[found.verdict]


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lambdas.status", description=__doc__)
    parser.add_argument("--region", help="the region to ask first; the shell's own otherwise, then those of --estate")
    parser.add_argument(
        "--estate", default="estate.yaml", type=Path, help="where to look for the regions, if it is there"
    )
    parser.add_argument("--all", action="store_true", help="show every backup, and not the newest ten of each kind")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    return parser.parse_args(arguments)


# --- the facts --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Read:
    """The estate as a region has it, and what other regions answered that were asked before: the code of an error."""

    region: str
    text: str
    estate: Estate
    failed: Mapping[str, str]


def _facts(given: argparse.Namespace) -> Facts:
    read = _read_estate(_candidates(given))
    regions = [read.estate.regions.primary, read.estate.regions.standby]
    silent: dict[str, str] = {}
    same = True
    for region in (each for each in regions if each != read.region):
        other = answer(lambda region=region: _parameter(region))  # type: ignore[misc]  # mypy loses the default
        if isinstance(other, Unanswered):
            silent[region] = other.why
        else:
            same = other == read.text
    answering = [region for region in regions if region not in silent]
    identity = client("sts", read.region).get_caller_identity()
    partition = identity["Arn"].split(":")[1]
    functions = [module.name for module in pkgutil.iter_modules(actions.__path__)]
    estate = read.estate
    inspections = [Inspection(region, identity["Account"], partition, functions, estate.kinds) for region in answering]
    with ThreadPoolExecutor(len(regions) + 4, thread_name_prefix="region") as pool:
        asked = [pool.submit(copy_context().run, each.facts) for each in inspections]
        vault, staging = (pool.submit(_vault, each) for each in (estate.vault, estate.vault.stand_in))
        # In the region whose functions reach them: the primary, or the standby in its place.
        database, database_staging = (
            pool.submit(copy_context().run, call, estate, answering[0]) for call in (_database, _database_staging)
        )
        return Facts(
            estate=estate,
            read_from=read.region,
            same_estate=same,
            regions=[each.result() for each in asked],
            silent=silent,
            passed_over={
                region: code
                for region, code in read.failed.items()
                if region == given.region and region not in regions  # else it is asked again, and may be silent
            },
            vault=vault.result(),
            staging=staging.result(),
            database=database.result(),
            database_staging=database_staging.result(),
        )


def _candidates(given: argparse.Namespace) -> list[str]:
    """The regions to ask for the estate, one after another."""
    own = given.region or shell_region()
    found = [own] if own else []
    if given.estate.is_file():
        try:
            local = parse_estate(given.estate.read_text(errors="replace"), str(given.estate))
            found += [local.regions.primary, local.regions.standby]
        except EstateInvalid:  # what is deployed is asked about, and not the file that lies here
            if not found:
                raise
    if not found:
        fact = f"No region is known: this shell has none, and {given.estate} is not here."
        raise _Untold(fact, "Name the primary or the standby with --region, and run this again.")
    return list(dict.fromkeys(found))


def _read_estate(regions: Sequence[str]) -> _Read:
    """The estate of the first region that has it. Raises `_Untold` and `EstateInvalid`."""
    failed: dict[str, str] = {}
    for region in regions:
        try:
            text = _parameter(region)
        except AWS_ERRORS as error:
            if lacks_identity(error):
                raise
            failed[region] = error_code(error)
            continue
        return _Read(region, text, parse_estate(text, f"SSM parameter {PARAMETER} in {region}"), failed)
    fact = f"No region gave the estate: {', '.join(f'{region} ({code})' for region, code in failed.items())}."
    cure = (
        "Check this machine's network; if another region is meant, name it with --region. "
        "Without AWS, docs/break-glass.md opens a backup."
    )
    raise _Untold(fact, cure)


def _parameter(region: str) -> str:
    answered: Any = client("ssm", region).get_parameter(Name=PARAMETER)
    return str(answered["Parameter"]["Value"])


def _vault(vault: Vault) -> VaultFacts:
    """What the nodes say of themselves to anybody who asks."""
    try:
        return VaultFacts(leader=find_leader(vault).address)
    except VaultUnreachable as error:
        return VaultFacts(unreached=as_failure(error).sentence.removesuffix("."))
    except MailarkError as error:
        failure = as_failure(error)
        return VaultFacts(problem=failure.sentence, hint=failure.hint)


def _database(estate: Estate, region: str) -> DatabaseFacts | None:
    database = estate.database
    return ask_database(region, database.server, database.name, database.major) if database else None


def _database_staging(estate: Estate, region: str) -> DatabaseFacts | None:
    """The staging server holds no database of that name but while a restore is tested."""
    database = estate.database
    return ask_database(region, database.staging, MAINTENANCE, database.major) if database else None


def _in_words(error: Exception) -> _Untold:
    if lacks_identity(error):
        fact = f"This shell has no valid credentials for AWS: {error_code(error)}."
        return _Untold(
            fact, "Set those of the account that was deployed to (`aws sts get-caller-identity` proves them)."
        )
    if isinstance(error, OSError):
        return _Untold(f"{error}.", "Name another file with --estate, or a region with --region, and run this again.")
    told = "AWS has not answered" if isinstance(error, BotoCoreError) else "AWS has refused it"
    return _Untold(f"{told}: {error}", "Ask the other region with --region; health.aws.amazon.com tells of AWS's own.")


if __name__ == "__main__":
    sys.exit(main())
