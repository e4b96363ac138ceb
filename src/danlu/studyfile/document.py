"""What a file or a command line says, with the place where it says so.

YAML is read by the rules of YAML 1.2: `1e-4` is a number, `no` is a word, and only
`true` and `false` are booleans.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from ..errors import DanluError, StudyError

Key: TypeAlias = tuple[str, ...]
Origins: TypeAlias = dict[Key, str]

MOST_DIGITS = 4000  # Python reads no more than 4300
_TAG = "tag:yaml.org,2002:"
_RULES = {  # YAML 1.2, core schema, section 10.3.2
    "null": r"|~|null|Null|NULL",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    "merge": r"<<",
}


@dataclass(frozen=True)
class Document:
    """Nested keys and values, and for each key where it was said.

    `source` names the file, or says that there is none.

    >>> said = Document("-", {"trials": 3}, {("trials",): "study.yaml, line 2"})
    >>> said.origin(("trials",))
    'study.yaml, line 2'
    """

    source: str
    content: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[Key, str] = field(default_factory=dict)

    def get(self, *key: str) -> Any:
        """The value at `key`, None where there is none."""
        value: Any = self.content
        for part in key:
            if not isinstance(value, Mapping) or part not in value:
                return None
            value = value[part]
        return value

    def put(self, key: Key, value: Any, origin: str) -> Document:
        """A copy that says `value` at `key`, as said at `origin`."""
        kept = {old: at for old, at in self.origins.items() if old[: len(key)] != key}
        content = _with(self.content, key, value)
        return Document(self.source, content, {**kept, key: origin})

    def origin(self, key: Key) -> str:
        """Where `key` was said, or the nearest key around it."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.origins:
                return self.origins[key[:length]]
        return self.source

    def error(self, key: Key, problem: DanluError | str) -> DanluError:
        """The problem as an error that names file, line and key."""
        kind = type(problem) if isinstance(problem, DanluError) else StudyError
        named = not key or str(problem).startswith(f"{key[-1]} ")
        name = "" if named else f"{'.'.join(key)}: "
        return kind(f"{self.origin(key)}: {name}{problem}")


def read(path: Path) -> Document:
    """What a study file says: YAML, JSON, TOML, or `[tool.danlu]` of a pyproject.toml.

    Raises:
        StudyError: it does not exist, is no text, or is not well-formed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise StudyError(f"{path} is not a text file in UTF-8") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise StudyError(f"cannot read the study file {path}: {reason}") from None
    try:
        return (_read_toml if path.suffix == ".toml" else _read_yaml)(path, text)
    except RecursionError:
        raise StudyError(f"{path} is nested too deeply for a study file") from None


def read_value(text: str) -> Any:
    """One value as YAML reads it: `--set a.b=TEXT` on a command line.

    >>> read_value("1e-3"), read_value("[a, 2]"), read_value("no")
    (0.001, ['a', 2], 'no')

    Raises:
        StudyError: it is not well-formed.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError):
        raise StudyError(f"{text!r} is not a value: put it in quotes") from None
    return None if node is None else _Nodes(Path(text), {}).value(node, ())


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {  # noqa: RUF012  # as the base class has it
        None: [(_TAG + tag, re.compile(f"(?:{rule})$")) for tag, rule in _RULES.items()]
    }


def _read_yaml(path: Path, text: str) -> Document:
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise StudyError(f"{path}{line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise StudyError(f"{path}: not valid YAML: {error}") from None
    if node is None:
        raise StudyError(f"{path} is empty: `danlu init` writes one to start from")
    origins: Origins = {}
    content = _Nodes(path, origins).value(node, ())
    if not isinstance(content, dict):
        raise StudyError(f"{path}: a study file is a list of `key: value` lines")
    return Document(str(path), content, origins)


@dataclass(frozen=True)
class _Nodes:
    """Turns YAML nodes into values and fills in where each key stands."""

    path: Path
    origins: Origins
    around: list[yaml.Node] = field(default_factory=list)

    def value(self, node: yaml.Node, key: Key) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if node in self.around:
            raise self._error(node, "an alias stands inside what it stands for")
        self.around.append(node)
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.value(child, key) for child in node.value]
            return self._table(node, key)
        finally:
            self.around.pop()

    def _table(self, node: yaml.Node, key: Key) -> dict[Any, Any]:
        merged: dict[Any, Any] = {}
        own: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                merged.update(self._merged(value_node, key))
                continue
            name = self._name(key_node)
            if name in own:
                raise self._error(key_node, f"{name!r} stands twice: remove one")
            below = (*key, str(name))
            self.origins[below] = f"{self.path}, line {key_node.start_mark.line + 1}"
            own[name] = self.value(value_node, below)
        return {**merged, **own}

    def _merged(self, node: yaml.Node, key: Key) -> dict[Any, Any]:
        value = self.value(node, key)
        tables = value if isinstance(value, list) else [value]
        if not all(isinstance(table, dict) for table in tables):
            raise self._error(node, "<< takes in a mapping, or a list of them")
        return {name: v for table in reversed(tables) for name, v in table.items()}

    def _name(self, node: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            raise self._error(node, "a key is one word, not a list or a mapping")
        return self._scalar(node)

    def _scalar(self, node: yaml.ScalarNode) -> str | int | float | bool | None:
        text: str = node.value
        match node.tag.removeprefix(_TAG):
            case "str" | "merge":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                if len(text) > MOST_DIGITS:
                    raise self._error(node, "a whole number has at most 4000 digits")
                return int(text, 0 if text[:2] in ("0o", "0x") else 10)
            case "float":
                return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        raise self._error(node, f"the tag {node.tag!r} has no meaning here")

    def _error(self, node: yaml.Node, message: str) -> StudyError:
        return StudyError(f"{self.path}, line {node.start_mark.line + 1}: {message}")


def _read_toml(path: Path, text: str) -> Document:
    try:
        content: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path}: not valid TOML: {error}") from None
    root: Key = ()
    if path.name == "pyproject.toml":
        root = ("tool", "danlu")
        content = content.get("tool", {}).get("danlu")
        if content is None:
            raise StudyError(f"{path} has no [tool.danlu]: put the study's keys there")
    lines = {
        key[len(root) :]: f"{path}, line {number}"
        for key, number in _toml_lines(text)
        if key[: len(root)] == root and key != root
    }
    return Document(str(path), content, lines)


def _toml_lines(text: str) -> Iterator[tuple[Key, int]]:
    """Keys and their lines, as far as they stand at the start of a line."""
    table: Key = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[([^\[\]]+)\]\s*(#.*)?$", line):
            table = _toml_key(header[1])
            yield table, number
        elif entry := re.match(r"\s*([\w\-.\"' ]+?)\s*=", line):
            yield (*table, *_toml_key(entry[1])), number


def _toml_key(text: str) -> Key:
    return tuple(part.strip().strip("\"'") for part in text.split("."))


def _with(content: Mapping[str, Any], key: Key, value: Any) -> dict[str, Any]:
    head, *rest = key
    if not rest:
        return {**content, head: value}
    inner = content.get(head)
    inner = inner if isinstance(inner, Mapping) else {}
    return {**content, head: _with(inner, tuple(rest), value)}
