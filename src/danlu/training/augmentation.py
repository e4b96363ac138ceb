"""Simple augmentation of batches of tensors, and softer labels (playbook T12).

All functions draw from `generator`, or from torch's own, and return new tensors. Images
have the shape (n, channels, height, width).
"""

from __future__ import annotations

import random

import torch
from torch.nn import functional


def smoothed(labels: torch.Tensor, classes: int, share: float) -> torch.Tensor:
    """Labels of shape (n,) as shares of `classes`, of which `share` goes to all alike.

    Szegedy et al. (2016), section 7. `cross_entropy` takes them.

    >>> import torch
    >>> from danlu import training
    >>> training.smoothed(torch.tensor([1]), classes=2, share=0.5)
    tensor([[0.2500, 0.7500]])

    Raises:
        ValueError: `share` is not in [0, 1].
    """
    if not 0 <= share <= 1:
        raise ValueError(f"smoothed needs a share from 0 to 1, got {share}")
    certain = functional.one_hot(labels, classes).float()
    return certain * (1 - share) + share / classes


def mixed_up(
    inputs: torch.Tensor,
    shares: torch.Tensor,
    *,
    alpha: float,
    generator: torch.Generator | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each input mixed with another one, and their labels alike (mixup).

    Zhang et al. (2018): one weight for the batch, from Beta(alpha, alpha). `shares` of
    shape (n, classes), as `smoothed` gives them.

    >>> import torch
    >>> from danlu import training
    >>> own = training.smoothed(torch.tensor([0, 1]), classes=2, share=0.0)
    >>> _, labels = training.mixed_up(torch.eye(2), own, alpha=0.4)
    >>> labels.sum(1)
    tensor([1., 1.])

    Raises:
        ValueError: `alpha` is not positive.
    """
    if not alpha > 0:
        raise ValueError(f"mixed_up needs alpha > 0, got alpha={alpha}")
    seed = int(torch.randint(2**62, (1,), generator=generator))
    weight = random.Random(seed).betavariate(alpha, alpha)
    other = torch.randperm(len(inputs), generator=generator).to(inputs.device)
    mixed = weight * inputs + (1 - weight) * inputs[other]
    return mixed, weight * shares + (1 - weight) * shares[other.to(shares.device)]


def flipped(
    images: torch.Tensor, *, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Half of the images, at random, from left to right.

    >>> import torch
    >>> from danlu import training
    >>> training.flipped(torch.zeros(8, 3, 4, 4)).shape
    torch.Size([8, 3, 4, 4])

    Raises:
        ValueError: these are no images.
    """
    _check_images("flipped", images)
    which = torch.rand(len(images), generator=generator) < 0.5
    mirrored = images.flip(-1)
    return torch.where(which.to(images.device)[:, None, None, None], mirrored, images)


def shifted(
    images: torch.Tensor, most: int, *, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Each image moved by up to `most` pixels on both axes; what comes in is zero.

    The usual crop after padding.

    >>> import torch
    >>> from danlu import training
    >>> training.shifted(torch.ones(2, 1, 4, 4), most=1).shape
    torch.Size([2, 1, 4, 4])

    Raises:
        ValueError: `most` is negative, or these are no images.
    """
    _check_images("shifted", images)
    if most < 0:
        raise ValueError(f"shifted needs most >= 0 pixels, got most={most}")
    count, _, height, width = images.shape
    padded = functional.pad(images, (most, most, most, most))
    down, right = torch.randint(0, 2 * most + 1, (2, count), generator=generator).to(
        images.device
    )
    rows = down[:, None] + torch.arange(height, device=images.device)
    columns = right[:, None] + torch.arange(width, device=images.device)
    at = torch.arange(count, device=images.device)
    # Indices around a slice put their own axes first: (n, height, width, channels).
    cut = padded[at[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return cut.permute(0, 3, 1, 2).contiguous()


def erased(
    images: torch.Tensor, size: int, *, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Each image with a square of `size` pixels set to zero, wherever its center lies.

    DeVries & Taylor (2017), cutout: the square may lie partly outside.

    >>> import torch
    >>> from danlu import training
    >>> bool((training.erased(torch.ones(2, 1, 8, 8), size=4) == 0).any())
    True

    Raises:
        ValueError: `size` is below 1, or these are no images.
    """
    _check_images("erased", images)
    if size < 1:
        raise ValueError(f"erased needs a size of at least 1 pixel, got size={size}")
    count, _, height, width = images.shape
    top = torch.randint(0, height, (count,), generator=generator) - size // 2
    left = torch.randint(0, width, (count,), generator=generator) - size // 2
    rows = _within(top, size, height)
    columns = _within(left, size, width)
    hole = (rows[:, :, None] & columns[:, None, :]).to(images.device)
    return images.masked_fill(hole[:, None], 0.0)


def noisy(
    inputs: torch.Tensor, std: float, *, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Inputs of floating point with normal noise of standard deviation `std` added.

    >>> import torch
    >>> from danlu import training
    >>> training.noisy(torch.zeros(2, 3), std=0.1).shape
    torch.Size([2, 3])

    Raises:
        ValueError: `std` is negative, or these are whole numbers.
    """
    if not std >= 0:
        raise ValueError(f"noisy needs std >= 0, got std={std}")
    if not inputs.is_floating_point():
        raise ValueError(
            f"noisy needs inputs of floating point, got {inputs.dtype}: convert them "
            "first, as by images.float() / 255"
        )
    added = torch.randn(inputs.shape, generator=generator)
    return inputs + std * added.to(inputs)


def _check_images(name: str, images: torch.Tensor) -> None:
    if images.ndim != 4:
        raise ValueError(
            f"{name} needs images of shape (n, channels, height, width), got "
            f"{tuple(images.shape)}"
        )


def _within(start: torch.Tensor, size: int, length: int) -> torch.Tensor:
    """Which of `length` places lie in the stretch of `size` from each start, (n, l)."""
    places = torch.arange(length)
    return (places >= start[:, None]) & (places < start[:, None] + size)
