"""What a hyperparameter is, told by its name in whatever spelling."""

from __future__ import annotations

import re

RATE = r"(\w+_)?(lr|learning_rate)(_(init|max|peak|base))?"
COMPLEMENT_OF = r"(one|1)_minus_"
COMPLEMENT = rf"{COMPLEMENT_OF}\w+"
MOMENTUM = r"(\w+_)?(momentum|beta_?[12])"
EPSILON = r"(\w+_)?(eps|epsilon)"
OPTIMIZER = rf"{RATE}|{COMPLEMENT}|(\w+_)?(momentum|betas?_?\d?|eps|epsilon)|rho"
DECAY = r"(\w+_)?(weight_decay|wd|l1|l2|l[12]_(reg|penalty))"
DROPOUT = r"(\w+_)?(dropout|drop_?path|drop_?rate|stochastic_depth)(_(rate|p|prob))?"
STRENGTH = rf"{DECAY}|{DROPOUT}|(label_)?smoothing|mixup_alpha|cutmix_alpha"
REGULARIZER = rf"{STRENGTH}|(\w+_)?(regulari[sz]\w+|augment\w*|mixup|cutmix)"
ARCHITECTURE = (
    r"(\w+_)?(layers?|depth|width|units|hidden|channels|filters|heads|blocks?|"
    r"kernel|embedding|model|arch|architecture|backbone|activation|norm|"
    r"normalization)(_(size|dim|dims|type|width|depth))?"
)
BATCH = r"(\w+_)?(batch|batch_size|batchsize|bs)"
LENGTH = r"(max_|num_|n_|total_|train_|training_)*(epochs?|steps?|iterations?|iters?)"
SCHEDULE = r"(\w+_)?(schedule|scheduler|decay|annealing)(_(type|name|kind))?"
# Not exponential or stepped: these do not depend on how long the training is.
TO_THE_END = r"cosine\w*|linear\w*|one_?cycle|1_?cycle|poly\w*|wsd|trapezoid\w*"
CHOOSER = r"opt|optim|optimi[sz]er"
AMOUNT = (
    r"(train_|training_)?(data|dataset|subset|sample)_?(fraction|share|size|percent)"
)
SMOOTHING = r"(label_)?smoothing"
WARMUP = r".*warm_?up.*"
AT_MOST_1 = (
    r"(\w+_)?(dropout|drop_?path|drop_?rate|momentum|betas?_?\d?|rho|smoothing|prob\w*|"
    r"share|fraction|ratio|p)(_(rate|p|prob))?"
)


def fits(name: str, *patterns: str) -> bool:
    """Whether a hyperparameter's name, in whatever spelling, fits one of `patterns`.

    >>> [fits(name, DROPOUT) for name in ("dropRate", "drop-path", "drop")]
    [True, True, False]
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    plain_name = re.sub(r"\W+", "_", spaced).lower().strip("_")
    return any(re.fullmatch(pattern, plain_name) for pattern in patterns)
