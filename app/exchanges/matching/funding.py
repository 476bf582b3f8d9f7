"""Funding as the venue settles it: at its time, by the position held then, once."""

from collections.abc import Iterator, Mapping

from app.domain.events import FundingPaid
from app.domain.instrument import Instrument
from app.domain.market import FundingRate
from app.domain.money import to_ledger
from app.domain.portfolio import Portfolio
from app.exchanges.matching.prices import Prices
from app.exchanges.matching.state import FundingTerms


class FundingSchedule:
    """The next settlement of each symbol."""

    def __init__(self, instruments: Mapping[str, Instrument], books: Portfolio, prices: Prices) -> None:
        self.terms: dict[str, FundingTerms] = {}
        self._instruments = instruments
        self._books = books
        self._prices = prices

    def announce(self, funding: FundingRate) -> None:
        """Take in what will be settled, and when."""
        self.terms[funding.symbol] = FundingTerms(funding.rate, funding.settles_ns)

    def settle_due(self, time_ns: int) -> Iterator[FundingPaid]:
        """Settle what is due, and yield what was paid; nothing for a flat position, or without any mark."""
        for symbol, terms in list(self.terms.items()):
            if terms.settles_ns <= time_ns:
                del self.terms[symbol]
                paid = self._payment(symbol, terms)
                # A rate that is told again for the same moment settles nothing.
                if paid is not None and self._books.apply_funding(paid) is not None:
                    yield paid

    def _payment(self, symbol: str, terms: FundingTerms) -> FundingPaid | None:
        position, mark = self._books.position(symbol), self._books.mark(symbol)
        if position.is_flat or mark is None:
            return None
        signed = self._instruments[symbol].notional(position.contracts, mark) * (1 if position.contracts > 0 else -1)
        return FundingPaid(
            symbol=symbol,
            time_ns=terms.settles_ns,
            amount=-to_ledger(signed * terms.rate),
            currency=self._books.currency,
            rate=terms.rate,
            mark_price=mark,
            contracts=position.contracts,
            mark_known=self._prices.mark_is_known(symbol),
        )
