"""The CDK app: two stacks in each of two regions."""

from aws_cdk import App

from infra.house import build_house

app = App()
build_house(app)
app.synth()
