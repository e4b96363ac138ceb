"""`danlu init`: a commented study file to start from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from ..errors import StudyError, did_you_mean
from .words import say

FILE = "study.yaml"
_PLAIN = "plain"
_KEPT = ".txt"  # what Python sources end with here, as they are not part of danlu


@click.command()
@click.argument("folder", default=".", metavar="[DIR]")
@click.option(
    "--from-argparse",
    "script",
    metavar="FILE",
    help="Take the hyperparameters from a script's add_argument calls.",
)
@click.option("--example", metavar="NAME", help="A working example: bash or python.")
@click.option(
    "--preset",
    metavar="NAME",
    help="Ranges known from practice, each with its reason: see --presets.",
)
@click.option("--presets", "listing", is_flag=True, help="List the presets.")
def init(
    folder: str,
    *,
    script: str | None,
    example: str | None,
    preset: str | None,
    listing: bool,
) -> None:
    """Write a commented study.yaml into DIR; what is there is never overwritten."""
    if sum(given is not None for given in (script, example, preset)) > 1:
        raise click.UsageError(
            "--from-argparse, --example and --preset: choose one of them"
        )
    place = Path(folder)
    if listing:
        _list_presets()
        return
    if preset is not None:
        from .from_preset import preset_text

        _write(place, {FILE: preset_text(preset)})
    elif script is not None:
        from .from_argparse import study_text

        text, found = study_text(Path(script), place)
        _write(place, {FILE: text})
        say(f"found {found} in {script}; review what is marked `# check`")
    else:
        _write(place, starter(example or _PLAIN))
    say(f"next: danlu check {'' if folder == '.' else place / FILE}".rstrip())


def _list_presets() -> None:
    from .. import presets
    from .words import table

    found = [presets.preset(name) for name in presets.names()]
    rows = [(own.name, own.title, ", ".join(own.reasons)) for own in found]
    click.echo(table(("preset", "for", "hyperparameters, first to last"), rows))


def starter(name: str) -> dict[str, str]:
    """The files of a starter: file name to text.

    Raises:
        StudyError: there is no such starter.
    """
    root = files(__package__) / "starters"
    names = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    if name not in names:
        hint = did_you_mean(name, [known for known in names if known != _PLAIN])
        raise StudyError(f"no example {name!r}: {hint}")
    return {
        part.name.removesuffix(_KEPT): part.read_text(encoding="utf-8")
        for part in sorted((root / name).iterdir(), key=lambda part: part.name)
        if part.is_file()
    }


def _write(place: Path, texts: dict[str, str]) -> None:
    """Writes all of the files, or none where one of them is there already."""
    for name in texts:
        if (place / name).exists():
            raise StudyError(
                f"{place / name} is there already and stays as it is: move it away, "
                "or choose another folder"
            )
    place.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        path = place / name
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        if text.startswith("#!"):
            path.chmod(0o755)
        click.echo(f"wrote {path}")
