"""Runs many seeds with the real ccxt adapter in the loop: ``python -m tests.simulation.ccxt.run --seeds 200 --from 1``.

A seed that breaks a rule is named; ``--seed N --trace`` shows its hour. The exit code is 1 if one did.
"""

import argparse
import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.simulation.ccxt.harness import run_seed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--from", type=int, default=1, dest="first")
    parser.add_argument("--seed", type=int, help="one seed alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: every event, order and fault")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    given = parser.parse_args()
    if given.seed is not None:
        outcome = run_seed(given.seed, print if given.trace else None)
        print(f"seed {outcome.seed}: {outcome.what or 'no rule was broken'}, trace {outcome.digest}")
        return int(bool(outcome.rule))
    seeds, failing, fired, orders = range(given.first, given.first + given.seeds), 0, Counter(), 0
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        for outcome in pool.map(run_seed, seeds):
            fired.update(outcome.fired)
            orders += outcome.orders
            if outcome.rule:
                failing += 1
                print(f"seed {outcome.seed}: {outcome.what}", flush=True)
    print(f"{failing} of {given.seeds} seeds broke a rule; {orders} orders arrived; {fired.total()} faults:")
    print(", ".join(f"{kind} {count}" for kind, count in sorted(fired.items())))
    return int(failing > 0)


if __name__ == "__main__":
    sys.exit(main())
