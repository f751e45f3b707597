"""Plain values in DynamoDB; and that the tables of these tests are the ones that are deployed."""

import json
from typing import Any

import pytest
from aws_cdk import App, Environment
from aws_cdk.assertions import Template
from hypothesis import given
from hypothesis import strategies as st

from infra.data_stack import DataStack
from lab.aws import ROOT
from lambdas.adapters.tables import all_items, from_item, to_item
from tests.servers.aws import ACCOUNT, PRIMARY, STANDBY, aws
from tests.servers.tables import KEYS, make_tables, table

_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers(-(10**30), 10**30) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=8,
)


def test_the_tables_of_these_tests_are_those_that_are_deployed() -> None:
    stack = DataStack(
        App(context=json.loads((ROOT / "cdk.json").read_text())["context"]),
        "MailarkData",
        env=Environment(account=ACCOUNT, region=PRIMARY),
        region=PRIMARY,
        other_region=STANDBY,
        host_principals=[],
    )
    deployed: dict[str, dict[str, Any]] = {}
    for resource in Template.from_stack(stack).find_resources("AWS::DynamoDB::Table").values():
        found = resource["Properties"]
        found["AttributeDefinitions"].sort(key=lambda each: each["AttributeName"])
        deployed[found["TableName"]] = {name: found[name] for name in table(found["TableName"])}
    assert deployed == {name: table(name) for name in KEYS}


@given(item=st.dictionaries(st.text(min_size=1), _VALUES, max_size=5))
def test_plain_values_come_back_as_they_were(item: dict[str, Any]) -> None:
    assert from_item(to_item(item)) == item


def test_what_is_none_is_left_out() -> None:
    assert to_item({"a": None, "b": 0, "c": ""}) == {"b": {"N": "0"}, "c": {"S": ""}}


def test_a_floating_point_number_is_refused() -> None:
    with pytest.raises(TypeError):
        to_item({"seconds": 0.5})


@pytest.mark.usefixtures("_clean")
def test_every_page_of_a_large_answer_is_read() -> None:
    make_tables()
    dynamo, count = aws("dynamodb"), 30
    for i in range(count):
        dynamo.put_item(TableName="mailark-catalog", Item=to_item({"id": f"{i:03}", "filling": "x" * 50_000}))
    first = dynamo.scan(TableName="mailark-catalog")
    assert "LastEvaluatedKey" in first
    found = [item["id"] for item in all_items(dynamo.scan, TableName="mailark-catalog")]
    assert sorted(found) == [f"{i:03}" for i in range(count)]
