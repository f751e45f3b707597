"""Imported once, by the process that functions are forked from: what each of them would spend its time on."""

import gc
import importlib
import os
from functools import cache
from pathlib import Path
from unittest.mock import patch

from botocore.loaders import create_loader

import lambdas.actions
from lambdas.adapters.aws import client
from tests.servers.aws import PRIMARY, STANDBY

patch("botocore.session.create_loader", cache(create_loader)).start()  # descriptions of services, in JSON
ENDPOINT = os.environ.get("AWS_ENDPOINT_URL")
for _region in (PRIMARY, STANDBY):
    for _service in ("dynamodb", "kms", "s3", "secretsmanager", "sesv2", "sns", "ssm", "stepfunctions"):
        client(_service, _region)
for _path in Path(str(lambdas.actions.__file__)).parent.glob("[a-z]*.py"):
    importlib.import_module(f"lambdas.actions.{_path.stem}")
gc.collect()
gc.freeze()  # a fork that collects garbage would copy every page of this
