"""The study that a command line states: a file, options over it, or options alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, TypeVar

import click

from ..errors import StudyError
from ..studyfile import Document, StudyFile, build, is_reference, read, read_value

FILES = ("study.yaml", "study.yml", "study.toml", "study.json")
_NO_FILE = "command line"
_SIMPLE = {  # option: (key in the study file, as written on the command line)
    "name": (("study",), "--name"),
    "goal": (("goal",), "--goal"),
    "trials": (("trials",), "--trials"),
    "max_steps": (("max_steps",), "--max-steps"),
    "slots": (("slots",), "--slots"),
    "gpus": (("gpus",), "--gpus"),
    "gpus_per_trial": (("gpus_per_trial",), "--gpus-per-trial"),
    "checkpoints": (("checkpoints",), "--checkpoints"),
    "time_limit": (("limits", "time"), "--time-limit"),
    "memory_limit": (("limits", "memory"), "--memory-limit"),
    "sampler": (("sampler",), "--sampler"),
    "scheduler": (("scheduler",), "--scheduler"),
    "recipe": (("recipe",), "--recipe"),
    "seed": (("seed",), "--seed"),
}
_LISTS = {
    "scientific": "--scientific",
    "constraints": "--constraint",
    "learn_from": "--learn-from",
    "guards": "--guard",
}
_Command = TypeVar("_Command", bound=Callable[..., Any])


class WithProgram(click.Command):
    """A command that takes the words after `--` as the program to run."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keeps the words after `--` apart from the command's own."""
        if "--" in args:
            at = args.index("--")
            args, ctx.obj = args[:at], args[at + 1 :]
        return super().parse_args(ctx, args)


def study_options(command: _Command) -> _Command:
    """Adds the options that state a study, or change what its file says."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def stated(
    target: str | None, words: Sequence[str] | None, options: Mapping[str, Any]
) -> StudyFile:
    """The study stated by a file, a function's name, a program's words and options.

    Raises:
        StudyError, SpaceError: something is missing or faulty.
    """
    document, folder = _begin(target, words, options)
    if target is not None and is_reference(target):
        document = _instead(document, "function", "command", target)
    if words:
        document = _instead(document, "command", "function", list(words))
    for key, value, origin in _changes(options):
        document = document.put(key, value, origin)
    if document.source == _NO_FILE:
        document = _with_defaults(document)
    return build(document, folder)


def pair(text: str, option: str) -> tuple[str, str]:
    """The name and the value in `name=value`, as given to `option`.

    Raises:
        StudyError: there is no name, or no value.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise StudyError(f"{option} {text!r} needs the form name=value")
    return name.strip(), value.strip()


def _begin(
    target: str | None, words: Sequence[str] | None, options: Mapping[str, Any]
) -> tuple[Document, Path]:
    """What the study file says, if one is meant, and the folder of the program."""
    is_program = bool(words) or (target is not None and is_reference(target))
    if target is not None and not is_reference(target):
        return _read_target(Path(target))
    if is_program and options["params"]:
        return Document(_NO_FILE), Path()
    found = _study_file(Path())
    if found is not None:
        return read(found), Path()
    if is_program and any(map(_is_of_space, options["settings"])):
        return Document(_NO_FILE), Path()
    raise StudyError(
        f"no study file here ({FILES[0]}): `danlu init` writes one; or state the study "
        "in one line: danlu run -p 'lr=1e-4..1e-1:log' --min val_loss --trials 20 "
        "-- python train.py --lr {lr}"
    )


def _is_of_space(setting: str) -> bool:
    """Whether a `--set` says what may vary."""
    return setting.partition("=")[0].strip().split(".")[0] == "space"


def _read_target(path: Path) -> tuple[Document, Path]:
    """What the file, or the folder's study file, says."""
    if path.suffix == ".py":
        raise StudyError(
            f"{path} is a program, not a study file: name a function of it, as "
            f"{path}:train, or end with `-- python {path} {{args}}`"
        )
    if path.is_dir():
        found = _study_file(path)
        if found is None:
            raise StudyError(f"no study file ({FILES[0]}) in the folder {path}")
        return read(found), path
    if not path.exists() and not path.suffix:
        raise StudyError(
            f"no file {path}; a study that was begun goes on with `danlu resume {path}`"
        )
    return read(path), path.parent


def _study_file(folder: Path) -> Path | None:
    """The study file of a folder, None where there is none."""
    for name in FILES:
        if (folder / name).is_file():
            return folder / name
    project = folder / "pyproject.toml"
    if project.is_file() and "[tool.danlu]" in project.read_text(encoding="utf-8"):
        return project
    return None


def _instead(document: Document, key: str, other: str, value: object) -> Document:
    content = {name: v for name, v in document.content.items() if name != other}
    changed = Document(document.source, content, document.origins)
    return changed.put((key,), value, _NO_FILE)


def _changes(
    options: Mapping[str, Any],
) -> list[tuple[tuple[str, ...], Any, str]]:
    """Every option given, as key, value and how it was written."""
    changes: list[tuple[tuple[str, ...], Any, str]] = []
    for text in options["params"]:
        name, domain = pair(text, "-p")
        changes.append((("space", name), domain, f"-p {name}"))
    for text in options["settings"]:
        name, value = pair(text, "--set")
        changes.append((tuple(name.split(".")), read_value(value), f"--set {name}"))
    for option, written in _LISTS.items():
        if options[option]:
            changes.append(((option,), list(options[option]), written))
    for option, goal in (("minimize", "min"), ("maximize", "max")):
        if options[option] is not None:
            metric = {"name": options[option], "goal": goal}
            changes.append((("metric",), metric, f"--{goal}"))
    for option, (key, written) in _SIMPLE.items():
        if options[option] is not None:
            changes.append((key, options[option], written))
    return changes


def _with_defaults(document: Document) -> Document:
    """A name and a goal for a study that was stated without a file."""
    metric = document.get("metric")
    if metric is None:
        raise StudyError("which number counts? Add --min METRIC or --max METRIC")
    if document.get("trials") is None:
        raise StudyError("how many trials are there in total? Add --trials N")
    if document.get("study") is None:
        document = document.put(("study",), _name(document), "default")
    if document.get("goal") is None:
        table = metric if isinstance(metric, Mapping) else {"name": metric}
        extreme = "largest" if table.get("goal") == "max" else "smallest"
        names = ", ".join(document.get("space") or {})
        goal = f"Which values of {names} give the {extreme} {table.get('name')}?"
        document = document.put(("goal",), goal, "default")
    return document


def _name(document: Document) -> str:
    """The name of the program's script, for want of a better one."""
    function = document.get("function")
    words: list[str] = document.get("command") or [function.partition(":")[0]]
    scripts = [word for word in words if PurePath(word).suffix in _SCRIPTS]
    return PurePath((scripts or words)[0]).stem


_SCRIPTS = (".py", ".sh", ".js", ".mjs", ".jl", ".R", ".pl", ".rb")
_OPTIONS = (
    click.option("-p", "--param", "params", multiple=True, metavar="NAME=DOMAIN",
                 help="A hyperparameter: 1e-4..1e-1:log, 8..64, sgd|adam, 32<64<128; "
                      "~3e-3 at its end says which value is expected."),
    click.option("--min", "minimize", metavar="METRIC",
                 help="The number to make small."),
    click.option("--max", "maximize", metavar="METRIC",
                 help="The number to make large."),
    click.option("--constraint", "constraints", multiple=True, metavar="TEXT",
                 help="What a trial must keep to, as 'latency_ms <= 20'."),
    click.option("--learn-from", multiple=True, metavar="STUDY",
                 help="An earlier study of the project, of the same metric."),
    click.option("--guard", "guards", multiple=True, metavar="TEXT",
                 help="What the adopted must keep to: 'test_err <= baseline + 0.005'."),
    click.option("--trials", "-n", type=int, metavar="N",
                 help="Search trials in total, those of earlier runs included."),
    click.option("--max-steps", type=int, metavar="N",
                 help="The length of a full training, in reported steps."),
    click.option("--slots", "-j", type=int, metavar="N",
                 help="How many trials run at the same time."),
    click.option("--gpus", metavar="0,1", help="The GPUs to hand out."),
    click.option("--gpus-per-trial", type=float, metavar="X",
                 help="GPUs for each trial; 0.5 lets two share one."),
    click.option("--checkpoints", metavar="URL",
                 help="Where trials keep checkpoints: s3://bucket/name, or a folder."),
    click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
                 help="Any other key of the study file, as fixed.epochs=20."),
    click.option("--name", metavar="STUDY", help="The study's name."),
    click.option("--goal", metavar="TEXT", help="The question that it answers."),
    click.option("--scientific", multiple=True, metavar="NAME",
                 help="A hyperparameter whose effect is to be measured."),
    click.option("--time-limit", metavar="TIME", help="For one trial, as 10m or 1h."),
    click.option("--memory-limit", metavar="SIZE", help="For one trial, as 4GB."),
    click.option("--sampler", metavar="NAME", help="Who chooses params."),
    click.option("--scheduler", metavar="NAME",
                 help="Who chooses how far each trial runs."),
    click.option("--recipe", metavar="NAME",
                 help="Sampler and scheduler together: bohb, gp_asha."),
    click.option("--seed", type=int, metavar="N", help="The study's seed."),
)  # fmt: skip
