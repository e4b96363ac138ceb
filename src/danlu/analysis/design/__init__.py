"""Rules of thumb for a study's design, said before anything runs (playbook D1 to D11).

Source: Google's Deep Learning Tuning Playbook. Hyperparameters are recognized by name.
Each rule is a function of the study that returns a finding, or None when all is well.
"""

from __future__ import annotations

from ...study import Study
from ..base import Finding
from . import effort, length, question, roles, scale

_RULES = (
    question.several_questions,
    question.unmarked_question,
    length.step_count,
    length.data_amount,
    length.batch_size,
    roles.scientific_optimizer,
    roles.fixed_optimizer,
    roles.scientific_strength,
    roles.shared_optimizer,
    scale.linear_scale,
    scale.log_dropout,
    scale.momentum_scale,
    scale.impossible_range,
    scale.unusual_range,
    effort.adam_budget,
    effort.lost_arms,
    effort.too_few_trials,
    effort.unfinished_list,
    effort.short_list,
    roles.fixed_limits,
    question.learning_comparison,
    question.schedule_first,
    length.cut_schedule,
)


def design(study: Study) -> tuple[Finding, ...]:
    """What the rules of thumb say about a study; empty when all is well.

    >>> import danlu
    >>> study = danlu.Study(
    ...     name="rates", goal="Which learning rate is best?", metric="val_error",
    ...     space={"lr": danlu.Float(1e-4, 1.0)}, trials=20,
    ... )
    >>> [finding.check for finding in design(study)]
    ['linear-scale']
    """
    found = (rule(study) for rule in _RULES)
    return tuple(finding for finding in found if finding is not None)
