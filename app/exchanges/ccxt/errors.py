"""Why a venue cannot be traded at. One type for each thing that whoever runs the bot would do differently.

VenueRefused
├── KeysRefused        the venue does not take the keys: nothing that the bot does will help
├── HedgeModeRefused   the account must be switched by hand
└── NotListed          the settings name what the venue has not
"""

from app.exchanges.ccxt.venues import credentials_of


class VenueRefused(Exception):
    """The venue, or the account there, is not one that this bot may trade at."""


class KeysRefused(VenueRefused):
    """The venue refuses the keys, or they may not do what is asked."""

    def __init__(self, venue: str, said: str) -> None:
        names = ", ".join(f"exchange.ccxt.{name}" for name in credentials_of(venue))
        super().__init__(f"{venue} refuses the keys: {said}: check {names}, and their rights")


class HedgeModeRefused(VenueRefused):
    """The account holds a long and a short of one symbol apart."""

    def __init__(self, venue: str) -> None:
        super().__init__(f"the account at {venue} is in hedge mode: close its positions, and switch it to one-way mode")


class NotListed(VenueRefused):
    """A symbol that the venue has no linear perpetual for."""

    def __init__(self, venue: str, symbol: str) -> None:
        super().__init__(f"{venue} lists no linear perpetual {symbol}: see its symbols, written base/quote:settle")
