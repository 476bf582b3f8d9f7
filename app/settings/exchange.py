"""The settings that choose the exchange."""

from pydantic import Field

from app.settings.ccxt import CcxtSettings
from app.settings.section import Section
from app.settings.simulated import SimulatedSettings


class ExchangeSettings(Section):
    """Which exchange."""

    adapter: str = Field(
        "simulated",
        description="simulated; ccxt (a real venue); paper (its market, simulated fills); or the dotted path of yours.",
    )
    simulated: SimulatedSettings = SimulatedSettings()
    ccxt: CcxtSettings = CcxtSettings()
