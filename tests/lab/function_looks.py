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


_USING_TWO_LAYERS = """
import subprocess, sys
from pathlib import Path
import of_the_first

def handler(event, context):
    program = next(Path(folder, "tools", "say") for folder in sys.path if Path(folder, "tools", "say").exists())
    return [of_the_first.VALUE, subprocess.run([program], capture_output=True, text=True, timeout=10).stdout]
"""


def module_of_one_layer_and_program_of_another(aws: Aws, folder: Path) -> Any:
    first = layer(aws, {"of_the_first.py": "VALUE = 'imported'"})
    second = layer(aws, {"tools/say": "#!/bin/sh\necho run"})
    return invoke(aws, function(aws, _USING_TWO_LAYERS, [first, second]))
