"""Imported once, by the process that functions are forked from: what each of them would spend its time on."""

import importlib
from functools import cache
from pathlib import Path
from unittest.mock import patch

from botocore.loaders import create_loader

import lambdas.actions
from lambdas.adapters.aws import client, forget_clients

patch("botocore.session.create_loader", cache(create_loader)).start()  # descriptions of services, in JSON
for _service in ("dynamodb", "kms", "s3", "sns", "ssm", "stepfunctions"):
    client(_service, "eu-central-1")
for _path in Path(str(lambdas.actions.__file__)).parent.glob("[a-z]*.py"):
    importlib.import_module(f"lambdas.actions.{_path.stem}")
forget_clients()  # each function has an endpoint to learn
