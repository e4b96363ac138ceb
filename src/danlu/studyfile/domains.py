"""How a domain is written: `1e-4..1e-1:log`, `8..64~32`, `sgd|adam`, or as a mapping.

The text form is the same in a study file and in `-p name=...` on the command line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..domain import Belief, Choice, Domain, Float, Int
from ..errors import DanluError, SpaceError, did_you_mean
from ..jsontext import dumps, loads
from ..value import Value, same
from .document import MOST_DIGITS, Document, Key

_PRESET = "preset"
_SUFFIXES = ("log", "int", "float")
_WHOLE = re.compile(r"[-+]?[0-9]+$")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_QUOTED = r"""\"(?:[^"\\]|\\.)*"|'[^']*'"""
_QUOTED_OPTION = re.compile(rf"(?:^|(?<=[|<]))\s*(?:{_QUOTED})\s*(?=[|<]|\Z)")
_BELIEF = re.compile(  # behind an option: `~` before one is a part of it, as in ~/data
    rf"(?<=[^\s|<~])\s*~\s*(?P<center>{_QUOTED}|[^|<~'\"@]+?)\s*"
    r"(?:@(?P<confidence>[^|<~'\"@]*))?\Z"
)
_WORDS: Mapping[str, Value] = {"true": True, "false": False, "null": None}
_FORMS = "write low..high (as 1e-4..1e-1:log or 8..64), or options (as sgd|adam)"


def domain(text: str) -> Domain:
    """The domain that a text stands for.

    >>> print(domain("1e-4..1e-1:log"), domain("8..64"), sep=", ")
    0.0001..0.1 log, 8..64 whole
    >>> domain("1e-4..1e-1:log~3e-3").belief
    Belief(center=0.003, confidence=0.5)
    >>> domain("32<64<128").ordered, domain("sgd|adam~adam").belief.center
    (True, 'adam')

    Raises:
        SpaceError: it stands for none.
    """
    listed = _BELIEF.sub("", text)
    bare = _QUOTED_OPTION.sub("", listed)
    for between in "|<":
        if between in bare:
            options = [_option(part, text) for part in _split(listed, between)]
            own = Choice(options, ordered=between == "<")
            return replace(own, belief=_believed_option(own, text))
    if ".." in text:
        return _range(text)
    raise SpaceError(f"{text!r} is not a domain: {_FORMS}; one value goes under fixed")


def domain_text(of: Domain) -> str:
    """A domain as text; `domain` reads it back but for a choice's branches.

    >>> domain_text(Float(1e-4, 0.1, log=True)), domain_text(Int(0, 1))
    ('0.0001..0.1:log', '0..1:int')
    """
    if isinstance(of, Choice):
        between = "<" if of.ordered else "|"
        options = between.join(_option_text(option) for option in of.options)
        return f"{options}{_belief_text(of.belief)}"
    suffix = ":log" if of.log else ""
    if isinstance(of, Int) and (of.low, of.high) == (0, 1):
        suffix += ":int"
    return f"{of.low!r}..{of.high!r}{suffix}{_belief_text(of.belief)}"


def _belief_text(belief: Belief | None) -> str:
    if belief is None:
        return ""
    sure = belief.confidence != Belief.confidence
    center = _option_text(belief.center)
    return f"~{center}{f'@{belief.confidence!r}' if sure else ''}"


def domains(document: Document, key: Key, table: object) -> dict[str, Domain]:
    """The domains of a mapping of name to domain that stands at `key`.

    A line `preset: adamw` stands for the domains of that preset, as far as the trials
    of the study reach; the other lines add to them, or take their place.

    Raises:
        SpaceError: one of them is faulty; the message names file, line and key.
        StudyError: no preset goes by that name.
    """
    if not isinstance(table, Mapping):
        raise document.error(key, f"needs `name: domain` lines, got {table!r}")
    named = _is_preset(table.get(_PRESET))
    begun = _preset(document, key, table[_PRESET]) if named else {}
    own = {
        _name(document, key, name): _domain(document, (*key, str(name)), value)
        for name, value in table.items()
        if not (named and name == _PRESET)
    }
    return {**begun, **own}


def _is_preset(value: object) -> bool:
    """Whether a value is a plain word, and so no domain."""
    return isinstance(value, str) and not re.search(r"\.\.|[|<]", value)


def _preset(document: Document, key: Key, name: str) -> dict[str, Domain]:
    from .. import presets

    try:
        space = presets.preset(name, _trials_of(document, key)).space
    except DanluError as error:
        raise document.error((*key, _PRESET), error) from None
    return dict(space.domains)


def _trials_of(document: Document, key: Key) -> int | None:
    """How many trials the domains at `key` get: options share those of the study."""
    trials = document.get("trials")
    if type(trials) is not int or trials < 1:
        return None  # what is wrong with it is said elsewhere
    for place, part in enumerate(key):
        options = document.get(*key[: place + 1]) if part == "choice" else None
        if isinstance(options, Mapping) and options:
            trials = max(1, trials // len(options))
    return trials


def _name(document: Document, key: Key, name: object) -> str:
    if not isinstance(name, str):
        raise document.error(
            (*key, str(name)), f'a name is text: put it in quotes, "{name}"'
        )
    return name


def _domain(document: Document, key: Key, value: Any) -> Domain:
    """The domain at `key`, in whichever form it is written."""
    try:
        if isinstance(value, str):
            return domain(value)
        if isinstance(value, list):
            return Choice(value)
    except SpaceError as error:
        raise document.error(key, error) from None
    if isinstance(value, Mapping):
        return _mapping(document, key, value)
    shown = str(value).lower() if isinstance(value, bool) else value
    raise document.error(
        key, SpaceError(f"{shown} is one value: write it under fixed, or {_FORMS[6:]}")
    )


def _mapping(document: Document, key: Key, table: Mapping[str, Any]) -> Domain:
    forms = {"float": "log", "int": "log", "choice": "ordered"}
    named = [form for form in forms if form in table]
    if len(named) != 1:
        hint = did_you_mean(str(next(iter(table), "")), forms)
        problem = f"a mapping needs one of float, int, choice: {hint}"
        raise document.error(key, SpaceError(problem))
    form, flag = named[0], forms[named[0]]
    for name in table:
        if name not in (form, flag, "belief"):
            hint = did_you_mean(str(name), (form, flag, "belief"))
            unknown = SpaceError(f"unknown key beside {form}: {hint}")
            raise document.error((*key, str(name)), unknown)
    marked = table.get(flag, False)
    if not isinstance(marked, bool):
        not_a_flag = SpaceError(f"is true or false, got {marked!r}")
        raise document.error((*key, flag), not_a_flag)
    belief = _belief(document, (*key, "belief"), table.get("belief"))
    if form == "choice":
        return _choice(document, key, table[form], marked, belief)
    bounds = table[form]
    if not isinstance(bounds, list) or len(bounds) != 2:
        raise document.error(
            key, SpaceError(f"{form} needs [low, high], got {bounds!r}")
        )
    try:
        made = Float if form == "float" else Int
        return made(bounds[0], bounds[1], marked, belief)
    except SpaceError as error:
        raise document.error(key, error) from None


def _belief(document: Document, key: Key, stated: Any) -> Belief | None:
    """What is said at `key`: a value, or a mapping of center and confidence."""
    if stated is None:
        return None
    table = stated if isinstance(stated, Mapping) else {"center": stated}
    for name in table:
        if name not in ("center", "confidence"):
            hint = did_you_mean(str(name), ("center", "confidence"))
            raise document.error((*key, str(name)), f"no such key: {hint}")
    if "center" not in table:
        raise document.error(key, SpaceError("needs a center, as in {center: 0.001}"))
    try:
        return Belief(**table)
    except SpaceError as error:
        raise document.error(key, error) from None


def _choice(
    document: Document, key: Key, options: Any, ordered: bool, belief: Belief | None
) -> Domain:
    if not isinstance(options, list | Mapping):
        problem = SpaceError(f"choice needs a list or a mapping, got {options!r}")
        raise document.error(key, problem)
    branches: dict[Value, Mapping[str, Domain]] = {}
    if isinstance(options, Mapping):
        for option, own in options.items():
            below = (*key, "choice", str(option))
            if own:
                branches[option] = domains(document, below, own)
    try:
        return Choice(list(options), ordered, branches, belief)
    except DanluError as error:
        raise document.error(key, error) from None


def _range(text: str) -> Domain:
    stretch, tilde, center = text.partition("~")
    belief = _believed(center, text) if tilde else None
    bounds, *suffixes = re.split(r"\s*:\s*|\s+(?=[a-z])", stretch.strip())
    for suffix in suffixes:
        if suffix not in _SUFFIXES:
            hint = did_you_mean(suffix, _SUFFIXES)
            raise SpaceError(f"{text!r} ends with {suffix!r}: {hint}")
    low, high = (part.strip() for part in bounds.split("..", 1))
    for bound in (low, high):
        if not _NUMBER.match(bound) and bound.lower() not in ("nan", "inf", "-inf"):
            raise SpaceError(f"{text!r} has the bound {bound!r}: {_FORMS}")
    log = "log" in suffixes
    if "int" in suffixes and "float" in suffixes:
        raise SpaceError(f"{text!r} is both int and float: keep one")
    if _is_whole(low, high, text, suffixes):
        return Int(_number(low), _number(high), log, belief)  # type: ignore[arg-type]
    return Float(float(low), float(high), log, belief)


def _believed(words: str, text: str) -> Belief:
    """The belief behind `~`: a center, and perhaps `@` and the confidence."""
    center, at, confidence = (part.strip() for part in words.partition("@"))
    for part in (center, *([confidence] if at else [])):
        if not _NUMBER.match(part):
            raise SpaceError(
                f"{text!r} has {part!r} after ~: write the value that you expect, as "
                "1e-4..1e-1:log~3e-3, or with how sure you are, as ~3e-3@0.8"
            )
    return Belief(_number(center), float(confidence) if at else Belief.confidence)


def _believed_option(own: Choice, text: str) -> Belief | None:
    """The belief behind `~` at the end of options, None where there is none."""
    found = _BELIEF.search(text)
    if found is None:
        return None
    center, stated = _option(found["center"], text), found["confidence"]
    if not any(same(center, option) for option in own.options):
        raise SpaceError(
            f"{text!r} expects {center!r}, which is not in {own}: write one of them "
            'after ~, and an option that has a ~ in quotes, as "v~1"|"v~2"'
        )
    if stated is not None and not _NUMBER.match(stated.strip()):
        raise SpaceError(
            f"{text!r} has {stated.strip()!r} after @: write how sure you are, as "
            "sgd|adam~adam@0.8"
        )
    return Belief(center, Belief.confidence if stated is None else float(stated))


def _is_whole(low: str, high: str, text: str, suffixes: list[str]) -> bool:
    """Whether a range means whole numbers; raises where that is anybody's guess."""
    if "int" in suffixes or "float" in suffixes:
        return "int" in suffixes
    whole = bool(_WHOLE.match(low) and _WHOLE.match(high))
    if whole and (_number(low), _number(high)) == (0, 1):
        raise SpaceError(
            f"{text!r} can mean every number from 0 to 1, or 0 and 1 alone: "
            "write 0.0..1.0 or 0..1:int"
        )
    return whole


def _number(text: str) -> int | float:
    if not _WHOLE.match(text):
        return float(text)
    if len(text) > MOST_DIGITS:
        raise SpaceError("a whole number has at most 4000 digits, got a longer one")
    return int(text)


def _split(text: str, between: str) -> Iterator[str]:
    """The options of a text; in quotes they may hold what stands between them."""
    end = re.escape(between)
    option = re.compile(rf"\s*({_QUOTED}|[^{end}]*?)\s*({end}|\Z)")
    place, more = 0, True
    while more and (found := option.match(text, place)):
        yield found[1]
        place, more = found.end(), bool(found[2])


def _option(part: str, text: str) -> Value:
    """An option as it is meant: a number, true, false, null, or text."""
    word = part.strip()
    if not word:
        raise SpaceError(f"{text!r} has an empty option: {_FORMS}")
    if re.fullmatch(_QUOTED, word):
        return _unquoted(word)
    if word in _WORDS:
        return _WORDS[word]
    return _number(word) if _NUMBER.match(word) else word


def _unquoted(word: str) -> str:
    """What stands in quotes; in double ones with JSON's escapes."""
    try:
        return str(loads(word)) if word[0] == '"' else word[1:-1]
    except ValueError:
        return word[1:-1]


def _option_text(option: Value) -> str:
    if not isinstance(option, str):
        return next((w for w, v in _WORDS.items() if v is option), repr(option))
    bare = option.strip() == option and not re.search(r"[|<'\"~@]", option)
    if bare and option and _option(option, option) == option:
        return option
    return dumps(option)
