"""The CDK app: two stacks in each of two regions."""

import sys

from aws_cdk import App

from infra.house import build_house
from lambdas.domain.errors import EstateInvalid

app = App()
try:
    build_house(app)
except EstateInvalid as error:
    sys.exit(str(error))
app.synth()
