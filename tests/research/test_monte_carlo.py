"""Round trips drawn again, with figures that a hand works out."""

from app.research.monte_carlo import spread_of


def test_equal_results_leave_nothing_to_luck():
    """Four losses of 10 from 100 end at 60, whatever the order: 40 % down, always."""
    spread = spread_of([-10.0] * 4, 100.0, 50, seed=1)
    assert set(spread.equity) == {60.0}
    assert {round(depth, 12) for depth in spread.drawdown} == {0.4}
    assert spread.losing == 1.0


def test_ruin_ends_a_path():
    assert spread_of([-60.0, -60.0], 100.0, 9, seed=1).drawdown == (1.0,) * 5


def test_a_fair_coin_loses_twice_in_a_quarter_of_the_draws():
    """Two tosses of +10 or -10: a quarter of the draws lose both."""
    spread = spread_of([10.0, -10.0], 100.0, 10_000, seed=1)
    assert (spread.equity[0], spread.equity[2], spread.equity[4]) == (80.0, 100.0, 120.0)
    assert abs(spread.losing - 0.25) < 0.02


def test_the_same_seed_draws_the_same():
    results = [5.0, -3.0, 8.0, -7.0, 1.0]
    assert spread_of(results, 100.0, 200, seed=3) == spread_of(results, 100.0, 200, seed=3)
    assert spread_of(results, 100.0, 200, seed=3) != spread_of(results, 100.0, 200, seed=4)
