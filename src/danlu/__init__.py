"""danlu (丹炉, the alchemist's furnace): deep-learning tuning as a method, in software.

The public names, in the order you meet them. Each is loaded when it is first used, so
that `import danlu` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import lazy

if TYPE_CHECKING:
    from . import client, executors, presets, recipes, samplers, schedulers, training
    from .analysis.base import Finding, Level
    from .autopilot import tune
    from .budget import Budget
    from .constraint import Constraint
    from .decide.decision import Decision, Ruling
    from .decide.rule import Terms
    from .domain import Belief, Choice, Float, Int
    from .errors import DanluError, SpaceError
    from .executors.base import Executor
    from .history import History
    from .loop import Progress
    from .metric import Metric
    from .project import Project, open
    from .samplers.base import Sampler, Suggestion
    from .schedulers.base import Resume, Scheduler, Start, Verdict
    from .space import Dimension, SearchSpace
    from .study import Study
    from .studyfile import load
    from .trial import Curve, Kind, Report, State, Trial

__version__ = "0.1.0"

_HOMES = {
    "Float": "domain",
    "Int": "domain",
    "Choice": "domain",
    "Belief": "domain",
    "SearchSpace": "space",
    "Dimension": "space",
    "Metric": "metric",
    "Constraint": "constraint",
    "Study": "study",
    "open": "project",
    "tune": "autopilot",
    "Budget": "budget",
    "load": "studyfile",
    "Project": "project",
    "Progress": "loop",
    "Trial": "trial",
    "State": "trial",
    "Kind": "trial",
    "Report": "trial",
    "Curve": "trial",
    "History": "history",
    "Finding": "analysis.base",
    "Level": "analysis.base",
    "Decision": "decide.decision",
    "Ruling": "decide.decision",
    "Terms": "decide.rule",
    "Sampler": "samplers.base",
    "Suggestion": "samplers.base",
    "Scheduler": "schedulers.base",
    "Start": "schedulers.base",
    "Resume": "schedulers.base",
    "Verdict": "schedulers.base",
    "Executor": "executors.base",
    "DanluError": "errors",
    "SpaceError": "errors",
}
_MODULES = (
    "samplers",
    "schedulers",
    "executors",
    "recipes",
    "presets",
    "client",
    "training",
)

__all__ = [  # noqa: RUF022  # the order in which you meet them
    "Float",
    "Int",
    "Choice",
    "Belief",
    "SearchSpace",
    "Dimension",
    "Metric",
    "Constraint",
    "Study",
    "open",
    "load",
    "Project",
    "tune",
    "Budget",
    "Progress",
    "Trial",
    "State",
    "Kind",
    "Report",
    "Curve",
    "History",
    "Finding",
    "Level",
    "Decision",
    "Ruling",
    "Terms",
    "Sampler",
    "Suggestion",
    "Scheduler",
    "Start",
    "Resume",
    "Verdict",
    "Executor",
    "DanluError",
    "SpaceError",
    "samplers",
    "schedulers",
    "executors",
    "recipes",
    "presets",
    "client",
    "training",
]

__getattr__, __dir__ = lazy.names(__name__, _HOMES, _MODULES)
