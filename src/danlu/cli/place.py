"""Where the project is: the nearest folder upward with a `.danlu`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import StorageError, StudyError
from ..folders import LAUNCH
from .words import say

if TYPE_CHECKING:
    from ..project import Project

FOLDER = ".danlu"
DATABASE = "danlu.db"


def existing(given: str | None) -> Project:
    """The project that is already there.

    Raises:
        StudyError: there is none.
    """
    if given and is_address(given):
        return _opened(given)
    path = database(given)
    if not path.is_file():
        where = f"at {path}" if given else f"in {Path.cwd()} or above"
        raise StudyError(
            f"no project {where}: `danlu run` makes one, --project DIR names another"
        )
    return _opened(path)


def existing_or_new(given: str | None) -> Project:
    """The project that is there, or a new one in this folder.

    Where it is in a folder above, that is said: it may not be the one that was meant.
    """
    if given and is_address(given):
        return _opened(given)
    path = database(given)
    if not given and path.parent.parent != Path.cwd():
        say(f"project {path.parent} (--project . makes one here)")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot make the folder {path.parent}: {error.strerror}; "
            "--project DIR names another place"
        ) from None
    return _opened(path)


def database(given: str | None) -> Path:
    """The path of the project's database, whether it exists or not.

    `given` is the folder that holds `.danlu`, the `.danlu` itself, or a database.
    """
    if given:
        path = Path(given.removeprefix("sqlite:///"))
        if path.suffix in (".db", ".sqlite") or path.is_file():
            return path
        return (path if path.name == FOLDER else path / FOLDER) / DATABASE
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FOLDER / DATABASE).is_file():
            return folder / FOLDER / DATABASE
    return here / FOLDER / DATABASE


def is_address(given: str) -> bool:
    """Whether a project is named by the address of a database server."""
    return "://" in given and not given.startswith("sqlite:")


def launch_path(project: Project, study: str) -> Path:
    """Where it is kept how a study's trials are started."""
    return project.trial_folder(project.study(study), 0).parent / LAUNCH


def _opened(path: Path | str) -> Project:
    from ..project import open as open_project

    return open_project(path)
