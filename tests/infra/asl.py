"""State machines as graphs: what follows what, which variables are there by then, and what an expression refers to."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonata import Jsonata
from jsonata.parser import Parser

_EXPRESSION = re.compile(r"^\{%(.*)%\}$", re.DOTALL)
FUNCTIONS = frozenset({"partition", "range", "hash", "random", "uuid", "parse"})
"""What Step Functions adds to JSONata (Step Functions guide, "Transforming data with JSONata")."""


@dataclass(frozen=True)
class State:
    """One state; `machine` is the machine, branch or item processor that it belongs to."""

    name: str
    definition: dict[str, Any]
    machine: "Machine"

    @property
    def type(self) -> str:
        return str(self.definition["Type"])

    @property
    def action(self) -> str:
        """The action that a task invokes: `${take_vault_snapshot}` without the blank's signs."""
        blank = re.fullmatch(r"\$\{(\w+)\}", self.definition["Arguments"]["FunctionName"])
        assert blank, f"{self.name} does not invoke an action"
        return blank[1]

    @property
    def child(self) -> str | None:
        """The machine that a task starts and waits for, where it does: `${approval}` without the blank's signs."""
        if not self.definition.get("Resource", "").startswith("arn:aws:states:::states:startExecution"):
            return None
        blank = re.fullmatch(r"\$\{(\w+)\}", self.definition["Arguments"]["StateMachineArn"])
        assert blank, f"{self.name} does not start a machine of ours"
        # The other forms do not wait, or give the output as a text (Step Functions guide, "Call other executions").
        assert self.definition["Resource"].endswith(".sync:2"), self.name
        return blank[1]

    @property
    def ends(self) -> bool:
        """Does a path end here, and well?"""
        return self.definition.get("End") is True or self.type == "Succeed"

    def next(self) -> list[str]:
        """Where it goes when it succeeds."""
        choices = [choice["Next"] for choice in self.definition.get("Choices", [])]
        others = [self.definition[key] for key in ("Next", "Default") if key in self.definition]
        return choices + others

    def catches(self) -> list[dict[str, Any]]:
        """Its catchers."""
        caught: list[dict[str, Any]] = self.definition.get("Catch", [])
        return caught

    def inner(self) -> "list[Machine]":
        """The branches of a Parallel, the item processor of a Map."""
        parts = self.definition.get("Branches", [])
        if "ItemProcessor" in self.definition:
            parts = [*parts, self.definition["ItemProcessor"]]
        return [Machine(part, self) for part in parts]


@dataclass(frozen=True)
class Machine:
    """A state machine, or a part of one that has states of its own; `owner` is the state it stands in."""

    definition: dict[str, Any]
    owner: State | None = None

    @staticmethod
    def read(definition: Mapping[str, Any]) -> "Machine":
        return Machine(dict(definition))

    @property
    def states(self) -> dict[str, State]:
        return {name: State(name, each, self) for name, each in self.definition["States"].items()}

    @property
    def start(self) -> str:
        return str(self.definition["StartAt"])

    def all(self) -> "Iterator[Machine]":
        """This machine, and all that stand in its states."""
        yield self
        for state in self.states.values():
            for inner in state.inner():
                yield from inner.all()

    def tasks(self) -> list[State]:
        """Every task at every depth."""
        return [state for machine in self.all() for state in machine.states.values() if state.type == "Task"]

    def invoking(self) -> list[State]:
        """Every task that invokes an action."""
        return [task for task in self.tasks() if task.child is None]

    def reachable(self, start: str | None = None, *, caught: bool = True) -> set[str]:
        """The states that can be reached from a state, itself included; with or without the ways of failure."""
        seen: set[str] = set()
        waiting = [start or self.start]
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            state = self.states[name]
            waiting += state.next()
            if caught:
                waiting += [catch["Next"] for catch in state.catches()]
        return seen

    def variables(self) -> dict[str, frozenset[str]]:
        """For each state, the variables that every path to it has assigned."""
        known = {self.start: self._inherited()}
        waiting = [self.start]
        while waiting:
            name = waiting.pop()
            state = self.states[name]
            for target, assigned in self._ways(state):
                after = known[name] | assigned
                before = known.get(target)
                merged = after if before is None else before & after
                if merged != before:
                    known[target] = merged
                    waiting.append(target)
        return known

    def _inherited(self) -> frozenset[str]:
        return self.owner.machine.variables()[self.owner.name] if self.owner else frozenset()

    @staticmethod
    def _ways(state: State) -> Iterator[tuple[str, frozenset[str]]]:
        """Each way out of a state, with what is assigned on it."""
        own = frozenset(state.definition.get("Assign", {}))
        for choice in state.definition.get("Choices", []):
            yield choice["Next"], frozenset(choice.get("Assign", {}))
        for key in ("Next", "Default"):
            if key in state.definition:
                yield state.definition[key], own
        for catch in state.catches():
            yield catch["Next"], frozenset(catch.get("Assign", {}))


@dataclass(frozen=True)
class Expression:
    """A JSONata expression, where it stands in its state: `Arguments.Payload.operation`."""

    state: str
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.state}.{self.place}: {self.text}"

    @property
    def variables(self) -> set[str]:
        """The variables it needs, without those that it binds itself and without functions. Raises on bad syntax."""
        return {name for name, _ in self.references()}

    def references(self) -> set[tuple[str, tuple[str, ...]]]:
        """Each variable it needs, with the fields of it that are named: `("snapshot", ("stored", "size"))`."""
        found: set[tuple[str, tuple[str, ...]]] = set()
        _collect(Jsonata(self.text).ast, frozenset(), found)
        return found


def expressions(state: State) -> Iterator[Expression]:
    """Every expression of a state, but not those of the states inside it."""
    own = {key: value for key, value in state.definition.items() if key not in ("Branches", "ItemProcessor")}
    yield from _expressions(state.name, "", own)


def _expressions(state: str, place: str, value: Any) -> Iterator[Expression]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _expressions(state, f"{place}.{key}" if place else key, each)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _expressions(state, f"{place}[{number}]", each)
    elif isinstance(value, str) and (match := _EXPRESSION.match(value.strip())):
        yield Expression(state, place, match[1].strip())


def _collect(node: Any, bound: frozenset[str], found: set[tuple[str, tuple[str, ...]]]) -> None:
    """Walk an expression's syntax tree for the variables that it needs from outside."""
    if isinstance(node, list | tuple):
        for each in node:
            _collect(each, bound, found)
        return
    if not isinstance(node, Parser.Symbol):
        return
    if node.type == "block":
        for each in node.expressions or []:
            _collect(each, bound, found)
            if each.type == "bind":
                bound |= {each.lhs.value}
        return
    if node.type == "bind":
        _collect(node.rhs, bound, found)
        return
    if node.type == "lambda":
        _collect(node.body, bound | {argument.value for argument in node.arguments}, found)
        return
    if node.type == "function":
        if node.procedure.type != "variable" or node.procedure.value not in known_functions() | bound:
            _collect(node.procedure, bound, found)
        _collect(node.arguments, bound, found)
        return
    if node.type == "path" and node.steps[0].type == "variable" and node.steps[0].value not in bound:
        fields: list[str] = []
        for step in node.steps[1:]:
            if step.type != "name":
                break
            fields.append(step.value)
        found.add((node.steps[0].value, tuple(fields)))
        _collect([node.steps[0].predicate, *node.steps[1:]], bound, found)
        return
    if node.type == "variable":
        if node.value not in bound | known_functions() | {""}:
            found.add((node.value, ()))
        _collect(node.predicate, bound, found)
        return
    for child in vars(node).values():
        if isinstance(child, Parser.Symbol | list | tuple):
            _collect(child, bound, found)


def known_functions() -> frozenset[str]:
    """The functions of JSONata, and those of Step Functions."""
    return FUNCTIONS | frozenset(Jsonata.static_frame.bindings) - {"eval"}  # Step Functions has no $eval
