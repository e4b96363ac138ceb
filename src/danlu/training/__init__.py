"""Tools for a PyTorch loop, each of which works alone; they need torch (extra `torch`).

The names are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import lazy

if TYPE_CHECKING:
    from .accumulation import accumulate
    from .activations import LayerActivations, check_activations
    from .augmentation import erased, flipped, mixed_up, noisy, shifted, smoothed
    from .averaging import WeightAverage
    from .balanced import BalancedBatches, Oversampled, class_weights
    from .clipping import check_clipping, clip_by_norm, clip_by_value, clip_threshold
    from .drawing import schedule_svg, schedule_text
    from .drop_path import DropPath, drop_path_rates
    from .ensembles import Ensemble, greedy_soup, soup
    from .finding import Finding
    from .fit_settings import FitSettings
    from .freezing import freeze, train_unfrozen, unfreeze
    from .gradient_findings import LayerGradients
    from .gradient_monitor import GradientMonitor
    from .groups import decay_groups, layer_groups, uncovered
    from .initialization import initialize_he, initialize_xavier, zero_residual
    from .joined import Joined
    from .live_curves import curves_svg, write_curves
    from .norm_statistics import reestimate_norms
    from .norms import GradientNorms, gradient_norms
    from .optimizers import build_optimizer
    from .probe import Probe
    from .schedule_audit import audit, audit_scheduler
    from .schedule_params import build_tracks
    from .schedules import (
        Constant,
        Cosine,
        Exponential,
        Hold,
        Linear,
        Pieces,
        Polynomial,
        Restarts,
        Schedule,
        ScheduleEnd,
        Step,
        Triangular,
        Warmup,
        exp_range,
        one_cycle,
        one_cycle_momentum,
        one_cycle_three_phase,
        triangular2,
        warmup_stable_decay,
    )
    from .sgdw import SGDW
    from .stepping import Update, take_step
    from .stopping import EarlyStopping, best_step
    from .subsets import reduce_classes, stratified_order, stratified_subset
    from .tracks import ScheduleLR, Tracks
    from .trainer import Fitted, fit
    from .unwrapping import unwrapped
    from .weight_decay import NormalizedDecay, normalized_decay, restart_tracks

_HOMES = {
    "Probe": "probe",
    "Schedule": "schedules",
    "Constant": "schedules",
    "Linear": "schedules",
    "Cosine": "schedules",
    "Polynomial": "schedules",
    "Exponential": "schedules",
    "Step": "schedules",
    "Triangular": "schedules",
    "triangular2": "schedules",
    "exp_range": "schedules",
    "Restarts": "schedules",
    "Pieces": "schedules",
    "one_cycle": "schedules",
    "one_cycle_momentum": "schedules",
    "one_cycle_three_phase": "schedules",
    "warmup_stable_decay": "schedules",
    "Warmup": "schedules",
    "Hold": "schedules",
    "ScheduleEnd": "schedules",
    "Tracks": "tracks",
    "ScheduleLR": "tracks",
    "build_tracks": "schedule_params",
    "audit": "schedule_audit",
    "audit_scheduler": "schedule_audit",
    "schedule_text": "drawing",
    "schedule_svg": "drawing",
    "build_optimizer": "optimizers",
    "decay_groups": "groups",
    "layer_groups": "groups",
    "uncovered": "groups",
    "SGDW": "sgdw",
    "Joined": "joined",
    "normalized_decay": "weight_decay",
    "NormalizedDecay": "weight_decay",
    "restart_tracks": "weight_decay",
    "take_step": "stepping",
    "Update": "stepping",
    "gradient_norms": "norms",
    "GradientNorms": "norms",
    "clip_by_norm": "clipping",
    "clip_by_value": "clipping",
    "clip_threshold": "clipping",
    "check_clipping": "clipping",
    "GradientMonitor": "gradient_monitor",
    "LayerGradients": "gradient_findings",
    "WeightAverage": "averaging",
    "reestimate_norms": "norm_statistics",
    "unwrapped": "unwrapping",
    "accumulate": "accumulation",
    "DropPath": "drop_path",
    "drop_path_rates": "drop_path",
    "stratified_subset": "subsets",
    "stratified_order": "subsets",
    "reduce_classes": "subsets",
    "BalancedBatches": "balanced",
    "Oversampled": "balanced",
    "class_weights": "balanced",
    "freeze": "freezing",
    "unfreeze": "freezing",
    "train_unfrozen": "freezing",
    "smoothed": "augmentation",
    "mixed_up": "augmentation",
    "flipped": "augmentation",
    "shifted": "augmentation",
    "erased": "augmentation",
    "noisy": "augmentation",
    "initialize_he": "initialization",
    "initialize_xavier": "initialization",
    "zero_residual": "initialization",
    "check_activations": "activations",
    "LayerActivations": "activations",
    "EarlyStopping": "stopping",
    "best_step": "stopping",
    "Ensemble": "ensembles",
    "soup": "ensembles",
    "greedy_soup": "ensembles",
    "Finding": "finding",
    "fit": "trainer",
    "FitSettings": "fit_settings",
    "Fitted": "trainer",
    "curves_svg": "live_curves",
    "write_curves": "live_curves",
}

__all__ = [  # noqa: RUF022  # the order in which you meet them
    "Probe",
    "Schedule",
    "Constant",
    "Linear",
    "Cosine",
    "Polynomial",
    "Exponential",
    "Step",
    "Triangular",
    "triangular2",
    "exp_range",
    "Restarts",
    "Pieces",
    "one_cycle",
    "one_cycle_momentum",
    "one_cycle_three_phase",
    "warmup_stable_decay",
    "Warmup",
    "Hold",
    "ScheduleEnd",
    "Tracks",
    "ScheduleLR",
    "build_tracks",
    "audit",
    "audit_scheduler",
    "schedule_text",
    "schedule_svg",
    "build_optimizer",
    "decay_groups",
    "layer_groups",
    "uncovered",
    "SGDW",
    "Joined",
    "normalized_decay",
    "NormalizedDecay",
    "restart_tracks",
    "take_step",
    "Update",
    "gradient_norms",
    "GradientNorms",
    "clip_by_norm",
    "clip_by_value",
    "clip_threshold",
    "check_clipping",
    "GradientMonitor",
    "LayerGradients",
    "WeightAverage",
    "reestimate_norms",
    "unwrapped",
    "accumulate",
    "DropPath",
    "drop_path_rates",
    "stratified_subset",
    "stratified_order",
    "reduce_classes",
    "BalancedBatches",
    "Oversampled",
    "class_weights",
    "freeze",
    "unfreeze",
    "train_unfrozen",
    "smoothed",
    "mixed_up",
    "flipped",
    "shifted",
    "erased",
    "noisy",
    "initialize_he",
    "initialize_xavier",
    "zero_residual",
    "check_activations",
    "LayerActivations",
    "EarlyStopping",
    "best_step",
    "Ensemble",
    "soup",
    "greedy_soup",
    "Finding",
    "fit",
    "FitSettings",
    "Fitted",
    "curves_svg",
    "write_curves",
]

__getattr__, __dir__ = lazy.names(__name__, _HOMES)
