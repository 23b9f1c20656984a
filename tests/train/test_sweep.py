"""Searching weights: a grid in its order, and far fewer trials where they are chosen."""

from __future__ import annotations

from itertools import product

import pytest

pytest.importorskip("torch")

from train.merge.sweep import _Trials

AXIS = [i / 10 for i in range(11)]


def run(most):
    trials, seen = _Trials([AXIS, AXIS], most), []
    for a, b in trials:
        seen.append(((a - 0.7) ** 2 + (b - 0.3) ** 2, a, b))
        trials.told(-seen[-1][0])
    return seen


def test_a_grid_is_tried_whole_and_in_order():
    assert [(a, b) for _, a, b in run(0)] == list(product(AXIS, AXIS))


def test_bayesian_search_finds_the_best_point_in_a_sixth_of_the_trials():
    seen = run(20)
    assert len(set(seen)) == 20
    assert min(seen)[1:] == (0.7, 0.3)
    assert run(20) == seen
