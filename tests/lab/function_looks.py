"""How functions and their layers behave in the emulator, seen from outside."""

from pathlib import Path
from typing import Any

from lab.aws import Aws
from tests.lab.small_functions import function, invoke, layer

_COUNTING = """
calls = 0

class VaultSealed(Exception):
    pass

def handler(event, context):
    global calls
    calls += 1
    if event == "fail":
        raise VaultSealed("it is sealed")
    return calls
"""


def error_of_a_function(aws: Aws, folder: Path) -> Any:
    answer = invoke(aws, function(aws, _COUNTING), "fail")
    return answer["errorType"], answer["errorMessage"]


def calls_counted_across_a_failure(aws: Aws, folder: Path) -> Any:
    counting = function(aws, _COUNTING)
    return [invoke(aws, counting), "errorType" in invoke(aws, counting, "fail"), invoke(aws, counting)]


def folders_of_one_layer_in_two_functions(aws: Aws, folder: Path) -> Any:
    shared = layer(aws, {"of_the_layer.py": "VALUE = 'from the layer'"})
    code = "import of_the_layer\ndef handler(event, context): return [of_the_layer.VALUE, of_the_layer.__file__]"
    answers = [invoke(aws, function(aws, code, [shared])) for _ in range(2)]
    return {value for value, _ in answers}, len({file for _, file in answers})
