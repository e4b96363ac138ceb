from __future__ import annotations

import pytest
import torch
from torch import nn

from danlu.training import Ensemble, greedy_soup, soup


class Says(nn.Module):  # type: ignore[misc]  # torch is Any to the checker
    def __init__(self, *probabilities: float) -> None:
        super().__init__()
        self.logits = torch.tensor(probabilities).log()

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(batch), -1) + 3.0  # logits are free up to this


def test_an_ensemble_averages_probabilities() -> None:
    together = Ensemble([Says(0.9, 0.1), Says(0.5, 0.5)])

    probabilities = together(torch.zeros(2, 1)).exp()

    assert [0.7, 0.3] == pytest.approx(probabilities[0].tolist())


def test_an_ensemble_is_trained_and_evaluated_as_one() -> None:
    together = Ensemble([nn.Linear(2, 2), nn.Linear(2, 2)]).eval()

    assert not together.members[0].training
    assert 4 == len(list(together.parameters()))


def test_an_ensemble_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one member"):
        Ensemble([])


def test_a_soup_is_the_mean_of_the_weights() -> None:
    states = [{"w": torch.full((2,), value)} for value in (1.0, 2.0, 6.0)]

    assert [3.0, 3.0] == soup(states)["w"].tolist()


def test_a_soup_of_16_bits_does_not_round_on_the_way() -> None:
    one, tiny = torch.ones(1).bfloat16(), torch.full((1,), 2.0**-8).bfloat16()
    states = [{"w": own} for own in (one, *[tiny] * 255)]

    expected = (1 + 255 * 2.0**-8) / 256
    assert expected == pytest.approx(soup(states)["w"].item(), rel=2**-8)


def test_counters_of_a_soup_are_those_of_the_last() -> None:
    states = [
        {"count": torch.tensor(3), "mask": torch.tensor([True])},
        {"count": torch.tensor(5), "mask": torch.tensor([False])},
    ]

    assert 5 == soup(states)["count"].item()
    assert [False] == soup(states)["mask"].tolist()


def test_a_greedy_soup_is_no_worse_than_its_best_part() -> None:
    states = [{"w": torch.tensor([value])} for value in (0.2, 5.0, -0.3, 0.1)]

    def score(state: object) -> float:
        assert isinstance(state, dict)
        return -abs(float(state["w"]))

    mixed, kept = greedy_soup(states, score)

    assert kept[0] == 3
    assert 1 not in kept
    assert score(mixed) >= max(score(state) for state in states)


def test_weights_of_two_models_make_no_soup() -> None:
    with pytest.raises(ValueError, match=r"0 and 1 .* \['w'\]"):
        soup([{"w": torch.zeros(2)}, {"w": torch.zeros(3)}])


def test_a_soup_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one set"):
        soup([])


def test_complex_weights_are_averaged() -> None:
    states = [{"w": torch.tensor([own])} for own in (1 + 2j, 3 + 0j)]

    assert [2 + 1j] == soup(states)["w"].tolist()


def test_weights_that_score_nan_are_left_out_of_a_greedy_soup() -> None:
    states = [{"w": torch.tensor([own])} for own in (1.0, 9.0, 2.0)]
    scores = {1.0: 0.2, 9.0: float("nan"), 2.0: 0.9}

    mixed, kept = greedy_soup(states, lambda state: scores.get(float(state["w"]), 0.0))

    assert ([2.0], [2]) == (mixed["w"].tolist(), kept)
    with pytest.raises(ValueError, match="each of 1 sets of weights scores nan"):
        greedy_soup(states[1:2], lambda state: float("nan"))


def test_members_with_one_score_are_refused() -> None:
    with pytest.raises(ValueError, match="a score for each class"):
        Ensemble([nn.Linear(2, 1)])(torch.zeros(3, 2))
