from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from danlu.training import erased, flipped, mixed_up, noisy, shifted, smoothed


def images(count: int = 16) -> torch.Tensor:
    return torch.arange(count * 3 * 6 * 5, dtype=torch.float32).reshape(count, 3, 6, 5)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


AUGMENTED: dict[str, Callable[[torch.Tensor, torch.Generator], torch.Tensor]] = {
    "flipped": lambda x, own: flipped(x, generator=own),
    "shifted": lambda x, own: shifted(x, 2, generator=own),
    "erased": lambda x, own: erased(x, 3, generator=own),
    "noisy": lambda x, own: noisy(x, 0.1, generator=own),
}
every_one = pytest.mark.parametrize("augment", AUGMENTED.values(), ids=AUGMENTED)


@every_one
def test_the_shape_stays_and_the_images_are_not_touched(
    augment: Callable[[torch.Tensor, torch.Generator], torch.Tensor],
) -> None:
    own = images()
    before = own.clone()
    augmented = augment(own, seeded())

    assert own.shape == augmented.shape
    assert torch.equal(before, own)
    assert not torch.equal(before, augmented)


@every_one
def test_the_generator_decides(
    augment: Callable[[torch.Tensor, torch.Generator], torch.Tensor],
) -> None:
    own = images()

    assert torch.equal(augment(own, seeded()), augment(own, seeded()))
    assert not torch.equal(augment(own, seeded()), augment(own, seeded(1)))


def test_about_half_are_flipped_from_left_to_right() -> None:
    own = images(400)
    after = flipped(own, generator=seeded())
    mirrored = (after == own.flip(-1)).flatten(1).all(1)
    kept = (after == own).flatten(1).all(1)

    assert bool((mirrored | kept).all())
    assert 150 < int(mirrored.sum()) < 250


def test_a_shift_keeps_the_picture() -> None:
    own = images(1)
    after = shifted(own, 1, generator=seeded())
    candidates = []
    padded = torch.nn.functional.pad(own, (1, 1, 1, 1))
    for down in range(3):
        for right in range(3):
            candidates.append(padded[:, :, down : down + 6, right : right + 5])

    assert any(torch.equal(after, candidate) for candidate in candidates)


def test_no_shift_is_no_change() -> None:
    own = images(2)

    assert torch.equal(own, shifted(own, 0))


def test_the_hole_is_a_square_in_all_channels() -> None:
    own = torch.ones(64, 3, 9, 9)
    holes = (erased(own, 3, generator=seeded()) == 0).flatten(2).sum(2)

    assert torch.equal(holes[:, 0], holes[:, 2])
    assert int(holes.max()) == 9
    assert int(holes.min()) >= 4  # at a corner, a part lies outside


def test_smoothed_labels_are_those_of_the_loss_of_torch() -> None:
    logits = torch.randn(8, 5, generator=seeded())
    labels = torch.randint(0, 5, (8,), generator=seeded())
    loss = torch.nn.functional.cross_entropy

    assert loss(logits, smoothed(labels, 5, 0.1)).item() == pytest.approx(
        loss(logits, labels, label_smoothing=0.1).item()
    )


def test_inputs_and_labels_are_mixed_by_one_weight() -> None:
    inputs = torch.eye(8)
    mixed, labels = mixed_up(inputs, inputs, alpha=0.4, generator=seeded())

    assert torch.equal(mixed, labels)
    assert torch.allclose(mixed.sum(1), torch.ones(8))


def test_a_small_alpha_mixes_little() -> None:
    own = torch.eye(8)
    weights = [
        mixed_up(own, own, alpha=0.01, generator=seeded(seed))[0].max().item()
        for seed in range(50)
    ]

    assert sum(weight > 0.99 for weight in weights) > 40


@pytest.mark.parametrize(
    "call",
    [
        lambda: smoothed(torch.zeros(1, dtype=torch.long), 2, 1.5),
        lambda: mixed_up(images(), images(), alpha=0.0),
        lambda: shifted(images(), -1),
        lambda: erased(images(), 0),
        lambda: noisy(images(), -0.1),
        lambda: noisy(torch.full((8,), 100, dtype=torch.uint8), 20.0),
        lambda: noisy(torch.zeros(8, dtype=torch.long), 0.5),
    ],
)
def test_impossible_settings_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="needs"):
        call()
