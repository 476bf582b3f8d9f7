"""Strategies by name: what cannot be used is told in one sentence."""

import pytest
from pydantic import model_validator

from app.settings.models import StrategySettings
from app.strategies import BUILT_IN, StrategyRefused, create, strategy_class
from app.strategies.strategy import Strategy, StrategyParams
from app.strategies.trend import Trend
from tests.builders import BTC, ETH


def settings(name="trend", **more):
    return StrategySettings(**({"strategy": name, "symbols": [BTC]} | more))


def refusal(name="trend", **more):
    with pytest.raises(StrategyRefused) as caught:
        create("mine", settings(name, **more))
    assert caught.value.strategy_id == "mine"
    return str(caught.value)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_strategy_is_created_with_its_defaults(name):
    (strategy,) = create("mine", settings(name))
    assert (strategy.strategy_id, strategy.symbol) == ("mine", BTC)
    assert strategy.params == strategy.Params()


def test_each_symbol_gets_an_instance_of_its_own():
    first, second = create("mine", settings(symbols=[BTC, ETH], params={"fast": 3}))
    assert (first.symbol, second.symbol, second.params.fast) == (BTC, ETH, 3)
    assert first.fast is not second.fast
    assert first._sizing is not second._sizing


def test_ones_own_strategy_is_named_by_its_dotted_path():
    assert strategy_class("mine", "app.strategies.trend.Trend") is Trend


def test_an_unknown_name_is_told_what_there_is():
    assert refusal("qqq") == (
        "strategies.mine: there is no strategy 'qqq': use breakout, funding_carry, mean_reversion, trend, "
        "or a dotted path to a class"
    )
    assert refusal("tend") == "strategies.mine: there is no strategy 'tend': did you mean trend?"


ASTRAY = {
    "near_ideas.Mine": "there is no module near_ideas in {here}: did you mean near_idea.Mine?",
    "near_package.depp.idea.Mine": "there is no module depp in package near_package: did you mean "
    "near_package.deep.idea.Mine?",
    "near_package.deep.idee.Mine": "there is no module idee in package near_package.deep: did you mean "
    "near_package.deep.idea.Mine?",
    "qqqqqq.Mine": "there is no module qqqqqq in {here}",
    "near_idea.Mine.Mine": "there is no module Mine in package near_idea",
    "near_idea.Mien": "module near_idea has no Mien: did you mean near_idea.Mine?",
    "near_idea.py": "module near_idea has no py: its strategies are near_idea.Mine, near_idea.Other",
    "near_package.deep.Mine": "module near_package.deep has no Mine: there is no strategy in it",
    "app.strategies.trend.Tend": "module app.strategies.trend has no Tend: did you mean app.strategies.trend.Trend?",
}


@pytest.mark.parametrize("path", ASTRAY)
def test_a_path_that_leads_nowhere_is_told_where_it_goes_astray_and_what_is_near(path, tmp_path, monkeypatch):
    """The class is misspelt, or a module, or the package that it is in."""
    source = "from app.strategies import Strategy\nclass Mine(Strategy): ...\nclass Other(Strategy): ...\n"
    (tmp_path / "near_idea.py").write_text(source)
    (tmp_path / "near_package" / "deep").mkdir(parents=True)
    (tmp_path / "near_package" / "__init__.py").touch()
    (tmp_path / "near_package" / "deep" / "__init__.py").touch()
    (tmp_path / "near_package" / "deep" / "idea.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert refusal(path) == f"strategies.mine: cannot import {path}: {ASTRAY[path].format(here=tmp_path)}"


@pytest.mark.parametrize("path", ["mine", "mine.", ".Mine", "my..Mine"])
def test_what_is_neither_a_name_nor_a_dotted_path_is_said_so(path):
    with pytest.raises(StrategyRefused, match=f"there is no strategy '{path}': use .*or a dotted path to a class"):
        strategy_class("x", path)


def test_what_a_strategy_s_module_lacks_is_not_taken_for_the_module(tmp_path, monkeypatch):
    (tmp_path / "needy.py").write_text("import pandas_of_nobody\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert refusal("needy.Mine") == (
        "strategies.mine: cannot import needy.Mine: ModuleNotFoundError: No module named 'pandas_of_nobody' "
        "(needy.py, line 1)"
    )


def test_a_module_that_raises_while_it_is_imported_is_told(tmp_path, monkeypatch):
    (tmp_path / "broken_strategy.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert refusal("broken_strategy.Mine") == (
        "strategies.mine: cannot import broken_strategy.Mine: ZeroDivisionError: division by zero "
        "(broken_strategy.py, line 1)"
    )


@pytest.mark.parametrize("path", ["app.strategies.trend.TrendParams", "app.strategies.catalogue.BUILT_IN"])
def test_what_is_no_strategy_is_refused(path):
    assert refusal(path) == f"strategies.mine: {path} is not a subclass of app.strategies.Strategy"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("on_bars", "on_bar"), ("on_fil", "on_fill"), ("on_markprice", "on_mark"), ("on_fundings", "on_funding")],
)
def test_a_misspelt_hook_is_refused_with_the_nearest_name(tmp_path, monkeypatch, written, meant):
    """Nothing would call it: the strategy would trade without it, or not at all."""
    module = f"strategy_with_{written}"
    (tmp_path / f"{module}.py").write_text(
        f"from app.strategies import Strategy\nclass Mine(Strategy):\n    def {written}(self, event, view): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert refusal(f"{module}.Mine") == f"strategies.mine: nothing calls Mine.{written}: did you mean {meant}?"


def test_a_strategy_s_own_methods_may_have_any_other_name(monkeypatch):
    monkeypatch.setattr(Trend, "_on_bars", lambda _: None, raising=False)
    monkeypatch.setattr(Trend, "on_weekends", False, raising=False)
    assert strategy_class("mine", "trend") is Trend
    monkeypatch.setattr(Trend, "on_xyzzy_quux_plugh", lambda _: None, raising=False)
    assert "there are on_bar, on_quote" in refusal("trend")


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"fast": 0}, "params.fast: Input should be greater than or equal to 1"),
        ({"slow": "many"}, "params.slow: Input should be a valid integer, unable to parse string as an integer"),
        ({"fats": 3}, "Trend has no params.fats: did you mean fast?"),
        ({"fast": 50, "slow": 10}, "params: fast is 50 and slow is 10: set slow above fast"),
        ({"qqq": 3}, "Trend has no params.qqq: it has interval_s, fast, slow"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_is_wrong(params, reason):
    assert refusal(params=params) == f"strategies.mine: {reason}"


def test_parameters_that_do_not_go_together_are_told(monkeypatch):
    class OddParams(StrategyParams):
        @model_validator(mode="after")
        def _refuse(self):
            raise ValueError("fast is not below slow")

    class Odd(Strategy):
        Params = OddParams

    monkeypatch.setattr("app.strategies.trend.Trend", Odd)
    assert refusal() == "strategies.mine: params: fast is not below slow"


WRITTEN = """from app.indicators import Ema
from app.strategies import Strategy
class SetsNothingUp(Strategy):
    def setup(self):
        return self.params.perid
class LooksBack(Strategy):
    def setup(self):
        self.average = Ema(-1)
class Leaves(Strategy):
    def setup(self):
        raise SystemExit(0)
class Counts(Strategy):
    warmup_bars = "ten"
class Hoards(Strategy):
    warmup_bars = 10**9
class Waits(Strategy):
    async def on_bar(self, bar, view): ...
class Rests(Strategy):
    async def snapshot(self): ...
"""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("SetsNothingUp", "'BarParams' object has no attribute 'perid' (written_badly.py, line 5)"),
        ("LooksBack", "LooksBack failed: ValueError: period is -1: it must be at least 1 (written_badly.py, line 8)"),
        ("Leaves", "setup of Leaves failed: SystemExit: 0 (written_badly.py, line 11)"),
        ("Counts", "setup of Counts failed: TypeError: warmup_bars is 'ten': it must be a whole number of bars"),
        ("Hoards", "warmup_bars is 1000000000: it must be a whole number of bars, at most 600000"),
        ("Waits", "Waits.on_bar is async, and nothing awaits it: write def on_bar"),
        ("Rests", "Rests.snapshot is async, and nothing awaits it: write def snapshot"),
    ],
)  # fmt: skip
def test_a_strategy_that_cannot_be_used_is_told_in_its_own_words(tmp_path, monkeypatch, name, why):
    """With the line to mend, where there is one."""
    (tmp_path / "written_badly.py").write_text(WRITTEN)
    monkeypatch.syspath_prepend(tmp_path)
    assert why in refusal(f"written_badly.{name}")
