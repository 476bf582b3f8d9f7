"""Runs the real bot under seeded faults, and says which seeds break a rule."""

import json
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from loguru import logger

from app.backtest import code_digest, require_cluster
from app.cli.failures import UsageRefused
from app.cli.progress import counting
from app.ports.exit_codes import ExitCode
from app.preflight import check_before_start
from app.settings import LoadedSettings, load_settings
from app.simulation import Outcome, Plan, plan_of, run_plan, run_seeds, seeds_on_cluster, shrink
from app.workers import open_cluster

PROFILE = "simulation"
SHRUNK_MAX = 3
"""Failing seeds that are shrunk: each takes as long as dozens of seeds."""


def simulate(
    profile: str | None,
    overrides: list[str],
    seeds: int,
    first: int,
    one: int | None,
    workers: int | None,
    scheduler: str | None,
    *,
    trace: bool,
    as_json: bool,
) -> int:
    """Run seeds; return 0 if no rule was broken, else 1."""
    if seeds < 1 or (workers is not None and workers < 1):
        raise UsageRefused("--seeds and --workers must be at least 1")
    if trace and one is None:
        raise UsageRefused("--trace shows one seed: give it with --seed")
    if scheduler is not None:
        if workers is not None or one is not None:
            raise UsageRefused("a cluster given with --scheduler has workers of its own, for many seeds")
        require_cluster()
    loaded = load_settings(profile or PROFILE, overrides)
    _check(loaded)
    words = [*(["--profile", profile] if profile else []), *(word for each in overrides for word in ("--set", each))]
    logger.remove()
    if one is not None:
        return _run_one(one, loaded, words, trace=trace, as_json=as_json)
    began = perf_counter()
    outcomes = _run_all(range(first, first + seeds), loaded, workers, scheduler)
    document = _summary(outcomes, perf_counter() - began)
    failing = [outcome for outcome in outcomes if outcome.rule]
    if as_json:
        print(json.dumps(document))
    else:
        _print_summary(document)
        for outcome in failing[:SHRUNK_MAX]:
            _explain(outcome, loaded, words)
    return ExitCode.BUG if failing else ExitCode.CLEAN


def _check(loaded: LoadedSettings) -> None:
    """Refuse what no seed could run.

    Raises:
        UsageRefused: Another exchange is set: it would not be run, and would look as if it had passed.
        SettingsRefused: A strategy trades what is not listed.
        StrategyRefused: A strategy does not import, or its parameters are wrong.
    """
    adapter = loaded.settings.exchange.adapter
    if adapter != "simulated":
        raise UsageRefused(
            f"simulate runs an exchange of its own, and exchange.adapter is {adapter}: an adapter is tested by "
            "tests/contracts/test_exchange_contract.py"
        )
    # The market of a seed is made: a replay needs no data here.
    check_before_start(loaded.settings.model_copy(update={"kind": "simulated"}))


def _run_one(seed: int, loaded: LoadedSettings, words: Sequence[str], *, trace: bool, as_json: bool) -> int:
    show = (lambda line: print(line, file=sys.stderr if as_json else sys.stdout)) if trace else None
    outcome = run_plan(plan_of(seed), loaded, show)
    if as_json:
        print(json.dumps(_summary([outcome], 0.0) | {"digest": outcome.digest, "what": outcome.what}))
    else:
        print(f"seed {seed}: {outcome.what or 'no rule was broken'}")
        print(f"{outcome.events} events, {outcome.orders} orders, {outcome.fills} fills, {outcome.crashes} crashes")
        print("faults: " + ", ".join(f"{kind} {count}" for kind, count in outcome.fired.items()))
        print(f"trace {outcome.digest}")
        if outcome.rule and not trace:
            _explain(outcome, loaded, words)
    return ExitCode.BUG if outcome.rule else ExitCode.CLEAN


def _run_all(seeds: range, loaded: LoadedSettings, workers: int | None, scheduler: str | None) -> list[Outcome]:
    outcomes = []
    with counting("seeds") as progress:
        task = progress.add_task("seeds", total=len(seeds))
        with _running(seeds, loaded, workers, scheduler) as found:
            for outcome in found:
                outcomes.append(outcome)
                progress.advance(task)
    return outcomes


@contextmanager
def _running(
    seeds: range, loaded: LoadedSettings, workers: int | None, scheduler: str | None
) -> Iterator[Iterator[Outcome]]:
    """Give what comes of the seeds: on processes of this machine, or of a cluster."""
    if scheduler is None:
        yield run_seeds(seeds, loaded, workers)
        return
    with open_cluster(scheduler, code_digest) as cluster:
        yield seeds_on_cluster(seeds, loaded.without_secrets(), cluster)


def _summary(outcomes: Sequence[Outcome], seconds: float) -> dict[str, Any]:
    fired: Counter[str] = Counter()
    for outcome in outcomes:
        fired.update(outcome.fired)
    failing = [outcome for outcome in outcomes if outcome.rule]
    return {
        "seeds": len(outcomes),
        "violations": len(failing),
        "failing_seeds": {str(outcome.seed): outcome.what for outcome in failing},
        "events": sum(outcome.events for outcome in outcomes),
        "events_min": min(outcome.events for outcome in outcomes),
        "orders": sum(outcome.orders for outcome in outcomes),
        "orders_min": min(outcome.orders for outcome in outcomes),
        "fills": sum(outcome.fills for outcome in outcomes),
        "faults": sum(outcome.faults for outcome in outcomes),
        "faults_min": min(outcome.faults for outcome in outcomes),
        "seeds_with_crash": sum(1 for outcome in outcomes if outcome.crashes),
        "starts": sum(outcome.starts for outcome in outcomes),
        "virtual_seconds": round(sum(outcome.virtual_seconds for outcome in outcomes), 3),
        "virtual_seconds_min": round(min(outcome.virtual_seconds for outcome in outcomes), 3),
        "seeds_per_second": round(len(outcomes) / seconds, 3) if seconds else None,
        "faults_by_kind": dict(sorted(fired.items())),
    }


def _print_summary(document: dict[str, Any]) -> None:
    rate = document["seeds_per_second"]
    print(f"{document['seeds']} seeds, {document['violations']} with a broken rule, {rate} seeds a second")
    print(
        f"{document['events']} events, {document['orders']} orders, {document['fills']} fills, "
        f"{document['faults']} faults, {document['starts']} starts; a crash in {document['seeds_with_crash']} seeds"
    )
    print(
        f"the least of a seed: {document['events_min']} events, {document['orders_min']} orders, "
        f"{document['faults_min']} faults, {document['virtual_seconds_min']} s"
    )
    for seed, what in document["failing_seeds"].items():
        print(f"seed {seed}: {what}")


def _explain(outcome: Outcome, loaded: LoadedSettings, words: Sequence[str]) -> None:
    """Print the fewest faults with which a seed still breaks its rule, and how to see it happen.

    Args:
        outcome: Of the seed.
        loaded: The settings of the bot.
        words: How they were given: another bot need not break the rule.
    """
    least: Plan = shrink(plan_of(outcome.seed), outcome.rule, lambda plan: run_plan(plan, loaded))
    print(f"seed {outcome.seed} needs {len(least.faults)} faults to break {outcome.rule}:")
    for fault in least.faults:
        print(f"  at {fault.at_s:9.3f} s {fault.kind} ({fault.seconds} s, {fault.number})")
    print(f"  see it: python -m app simulate {shlex.join([*words, '--seed', str(outcome.seed), '--trace'])}")
