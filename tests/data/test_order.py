"""The order of the samples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.data.order import Order

ROWS = np.arange(100, 137)


def flat(served):
    return list(itertools.chain.from_iterable(served))


def batches(epoch=0, **fields):
    order = Order(ROWS, **{"batch_size": 8, "shuffle": True, "seed": 0, **fields})
    order.set_epoch(epoch)
    return list(order)


def test_without_shuffle_every_sample_comes_once_in_the_sources_order():
    served = batches(shuffle=False)
    assert [len(b) for b in served] == [8, 8, 8, 8, 5]
    assert flat(served) == ROWS.tolist()
    assert served == batches(shuffle=False, epoch=3, seed=5)


def test_shuffled_batches_are_whole_and_drop_the_last():
    served = batches()
    assert [len(b) for b in served] == [8, 8, 8, 8]
    assert len(set(flat(served))) == 32
    assert set(flat(served)) <= set(ROWS.tolist())
    assert flat(served) != ROWS[:32].tolist()


def test_a_single_small_batch_is_kept():
    assert [sorted(b) for b in batches(batch_size=64)] == [ROWS.tolist()]


def test_what_is_dropped_changes_with_the_epoch():
    dropped = [set(ROWS.tolist()) - set(flat(batches(epoch))) for epoch in range(100)]
    assert set().union(*dropped) == set(ROWS.tolist())


def test_seed_and_epoch_decide():
    assert batches(epoch=1) == batches(epoch=1)
    different = [batches(epoch=e, seed=s) for e in range(3) for s in range(3)]  # seed 0 is a seed
    assert all(a != b for i, a in enumerate(different) for b in different[:i])


@given(
    st.integers(1, 60),
    st.integers(1, 12),
    st.integers(1, 4),
    st.booleans(),
    st.integers(0, 3),
    st.integers(0, 5),
)
def test_the_ranks_batches_together_are_those_of_one_process(samples, batch_size, world, shuffle, seed, epoch):
    rows = np.arange(samples) * 3
    ranks = []
    for rank in range(world):
        order = Order(rows, batch_size, shuffle, seed, rank, world)
        order.set_epoch(epoch)
        ranks.append(list(order))
        assert len(ranks[-1]) == len(order)  # all ranks make the same number of steps
    whole = Order(rows, batch_size, shuffle, seed)
    whole.set_epoch(epoch)
    for step, batch in enumerate(whole):
        assert sorted(flat(r[step] for r in ranks)) == sorted(batch)
        assert max(len(r[step]) for r in ranks) - min(len(r[step]) for r in ranks) <= 1


@pytest.mark.parametrize("shuffle", [True, False])
def test_length_is_the_number_of_batches(shuffle):
    assert len(Order(ROWS, 8, shuffle, 0)) == len(batches(shuffle=shuffle))
