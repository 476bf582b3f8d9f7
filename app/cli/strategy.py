"""Writes the first lines of a strategy."""

import keyword
import re
import sys
from importlib.util import find_spec
from pathlib import Path

from app.cli.failures import UsageRefused
from app.ports.exit_codes import ExitCode

NAME = re.compile(r"[a-z][a-z0-9_]*")
TEMPLATE = '''"""{title}: say here in one sentence what it bets on."""

from typing import Annotated

from pydantic import Field

from app.domain.market import Bar
from app.domain.target import Target
from app.indicators import Ema
from app.ports.strategy_view import StrategyView
from app.strategies import BarParams, Search, Strategy


class {cls}Params(BarParams):
    """Set them under the strategy's params, beside interval_s: the length of its bars, 60 seconds unless set."""

    period: Annotated[int, Search(5, 120)] = Field(20, ge=2)


class {cls}(Strategy):
    """Long above the average, flat below it."""

    Params = {cls}Params
    params: {cls}Params

    def setup(self) -> None:
        """Indicators and numbers set here are saved and restored by themselves."""
        self.average = Ema(self.params.period)

    @property
    def warmup_bars(self) -> int:
        """Bars that must have been seen before it acts."""
        return self.params.period

    def on_bar(self, bar: Bar, view: StrategyView) -> Target | None:
        """Called with each closed bar, history included; a target is returned when the side changes."""
        side = 1 if float(bar.close) > self.average.update(bar.close) else 0
        return self.target(view, side, bar.time_ns, bar.close, reason="close crossed its average")
'''


def new(name: str) -> int:
    """Write NAME.py here, and say how to run it.

    Raises:
        UsageRefused: The name is no module name, or the file exists.
    """
    if NAME.fullmatch(name) is None:
        raise UsageRefused(f"{name!r} cannot name a Python module: use small letters, digits and _, as in my_idea")
    path = Path(f"{name}.py")
    if path.exists():
        raise UsageRefused(f"{path} exists already: choose another name")
    if keyword.iskeyword(name) or name in sys.stdlib_module_names or find_spec(name) is not None:
        raise UsageRefused(f"{name!r} is a name of Python's or of a package's that is installed: choose another")
    words = name.split("_")
    cls = "".join(word.capitalize() for word in words)
    path.write_text(TEMPLATE.format(title=" ".join(words).capitalize(), cls=cls, name=name), encoding="utf-8")
    print(f"wrote {path}. Run it here with:")
    print(f"  python -m app run --set strategies.trend.strategy={name}.{cls}")
    return ExitCode.CLEAN
