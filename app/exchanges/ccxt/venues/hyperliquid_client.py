"""What ccxt's client of hyperliquid must not do, and what it leaves out. Stands before ccxt's own class.

Read in ccxt 4.5.90, whose comments quote the venue's own messages, 2026-11.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

import ccxt
from Crypto.Hash import keccak

from app.exchanges.ccxt.guarded import Guarded

LISTS = frozenset(
    {"metaAndAssetCtxs", "candleSnapshot", "fundingHistory", "frontendOpenOrders", "userFillsByTime", "userFunding"}
)
"""Questions that are answered with a list; ccxt makes an empty one of everything else."""
FIELDS = {
    "clearinghouseState": "assetPositions",
    "spotClearinghouseState": "balances",
    "l2Book": "levels",
    "userRole": "role",
}
"""What must be in the answer to others; ccxt makes an account without positions of one where it is not."""
UNIFIED = frozenset({"unifiedAccount", "portfolioMargin"})
"""Accounts whose money is not in the perpetuals' account."""
AGENT_TYPE = b"Agent(string source,bytes32 connectionId)"
"""What is signed at the venue for every action, as EIP-712 writes it."""
PRICE_HEADROOM = Decimal("1.5")
"""How far a price may rise while the tick that was read at the start is still one that the venue takes."""
ERRORS = {
    "User or API Wallet ": ccxt.AuthenticationError,  # ccxt: an invalid order
    "Must deposit before performing actions": ccxt.AccountNotEnabled,
    "too far from oracle": ccxt.InvalidOrder,
    "at open interest cap": ccxt.InvalidOrder,
    "while open interest is capped": ccxt.InvalidOrder,
    "increase open interest too quickly": ccxt.InvalidOrder,
    "exceed margin tier limit": ccxt.InvalidOrder,
}
"""Words of the venue that ccxt does not know, or takes for something else."""


class GuardedHyperliquid(Guarded):
    """Signs nothing but what it is told to, and lets each order be valid for a while only."""

    options: dict[str, Any]

    def describe(self) -> Any:  # noqa: ANN401 - ccxt's description
        """Return ccxt's description of the venue, with its perpetuals alone."""
        described = super().describe()  # type: ignore[misc] # the venue's class
        described["options"]["fetchMarkets"] = {"types": ["swap"]}
        described["exceptions"]["broad"] = ERRORS | {
            words: kind for words, kind in described["exceptions"]["broad"].items() if words not in ERRORS
        }
        described["has"]["fetchLeverageTiers"] = True
        return described

    async def initialize_client(self) -> bool:
        """Do nothing: ccxt would approve a fee for itself, of which every order then pays, and name itself referrer."""
        return True

    async def handle_builder_fee_approval(self) -> bool:
        """Approve nothing."""
        return False

    async def set_ref(self) -> None:
        """Name no referrer."""

    async def is_unified_enabled(
        self,
        method: str,
        address: str | None = None,
        shouldRefresh: bool = False,  # noqa: FBT001, FBT002, N803 - as ccxt calls it
        params: Any = None,  # noqa: ANN401 - as above
    ) -> list[Any]:
        """Return whether spot and perpetuals share an account; ccxt takes an answer that it cannot read for a no."""
        del method, shouldRefresh
        if "enableUnifiedMargin" not in self.options:
            asked = {"type": "userAbstraction", "user": address or self.walletAddress}  # type: ignore[attr-defined] # ccxt's
            said = await self.publicPostInfo(asked)  # type: ignore[attr-defined] # as above
            if not isinstance(said, str):
                raise ccxt.BadResponse("the kind of the account cannot be read")
            self.options["enableUnifiedMargin"] = said.strip('"') in UNIFIED
        return [self.options["enableUnifiedMargin"], params or {}]

    def calculate_price_precision(self, price: Any, amountPrecision: Any, maxDecimals: Any) -> int:  # noqa: ANN401, N803 - as ccxt calls it
        """Return the decimals of a price; five digits are taken, so a price that rises has fewer of them.

        Those of a price half as high again: a tick that is too fine would keep a stop from the venue when it is needed.
        """
        raised = str(Decimal(price) * PRICE_HEADROOM)
        digits: int = super().calculate_price_precision(raised, amountPrecision, maxDecimals)  # type: ignore[misc] # the venue's class
        return digits

    def nonce(self) -> int:
        """Return the venue's time in milliseconds: an order's validity is reckoned from it."""
        return int(self.milliseconds() - self.options.get("timeDifference", 0))  # type: ignore[attr-defined] # ccxt's

    def sign_l1_action(
        self,
        action: Mapping[str, Any],
        nonce: int,
        vaultAdress: str | None = None,  # noqa: N803 - as ccxt calls it
        expiresAfter: int | None = None,  # noqa: N803 - as above
    ) -> Any:  # noqa: ANN401 - as above
        """Sign an action; an order with the time after which the venue refuses it."""
        if action["type"] == "order":
            expiresAfter = nonce + self.valid_ms  # noqa: N806 - as above
        return super().sign_l1_action(action, nonce, vaultAdress, expiresAfter)  # type: ignore[misc] # the venue's class

    @staticmethod
    def hash(request: bytes, algorithm: str = "keccak", digest: str = "hex") -> Any:  # noqa: ANN401 - ccxt's
        """Return a digest; ccxt computes this one in Python, which holds everything else up for milliseconds."""
        if algorithm != "keccak" or digest not in {"hex", "binary"}:
            return ccxt.Exchange.hash(request, algorithm, digest)
        binary = _keccak(request)
        return binary if digest == "binary" else binary.hex()

    @staticmethod
    def eth_encode_structured_data(
        domain: Mapping[str, Any],
        messageTypes: Mapping[str, Any],  # noqa: N803 - as ccxt calls it
        message: Mapping[str, Any],
    ) -> bytes:
        """Return what is hashed and signed for an action (EIP-712), with one domain for all of them."""
        if set(messageTypes) != {"Agent"}:
            encoded: bytes = ccxt.Exchange.eth_encode_structured_data(domain, messageTypes, message)
            return encoded
        source = _keccak(message["source"].encode())
        body = _keccak(_keccak(AGENT_TYPE) + source + message["connectionId"])
        return b"\x19\x01" + _domain_hash(tuple(domain.items())) + body

    def create_orders_request(self, orders: Any, params: Any = None) -> dict[str, Any]:  # noqa: ANN401 - as above
        """Return the request for orders, which says until when it is valid."""
        request: dict[str, Any] = super().create_orders_request(orders, params or {})  # type: ignore[misc] # as above
        return request | {"expiresAfter": request["nonce"] + self.valid_ms}

    def says_nothing(self, method: str, url: str, answer: Any, asked: Any) -> bool:  # noqa: ANN401 - a venue's JSON
        """Whether ccxt would take an answer for an empty account, or for a success, that is neither."""
        del method
        if url.endswith("/exchange"):
            return not isinstance(answer, Mapping) or "status" not in answer
        kind = json.loads(asked)["type"]
        if kind in LISTS:
            return not isinstance(answer, Sequence) or isinstance(answer, str)
        if kind == "userAbstraction":
            return False  # a bare word, which is no JSON to ccxt
        field = FIELDS.get(kind)
        return answer is None or (field is not None and field not in answer)

    def handle_my_trades(self, client: Any, message: Mapping[str, Any]) -> None:  # noqa: ANN401 - ccxt has no types
        """Take in fills; not the thousands of old ones that come first: what was missed is asked for."""
        if not message["data"].get("isSnapshot"):
            super().handle_my_trades(client, message)  # type: ignore[misc] # the venue's class

    def parse_ws_ticker(self, raw: Mapping[str, Any], market: Any = None) -> dict[str, Any]:  # noqa: ANN401 - as above
        """Return a ticker with the mark price, which ccxt leaves out."""
        ticker: dict[str, Any] = super().parse_ws_ticker(raw, market)  # type: ignore[misc] # as above
        return ticker | {"markPrice": raw.get("markPx")}

    async def fetch_leverage_tiers(self, symbols: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Return the margin tables, which ccxt does not read.

        Maintenance is half of the initial margin at the highest leverage of the tier (the venue's documentation).
        """
        meta = await self.publicPostInfo({"type": "meta"})  # type: ignore[attr-defined] # ccxt's
        tables = {str(number): table["marginTiers"] for number, table in meta["marginTables"]}
        listed = {item["name"]: item for item in meta["universe"]}
        found = {}
        for symbol in symbols:
            item = listed[self.market(symbol)["baseName"]]  # type: ignore[attr-defined] # ccxt's
            alone = [{"lowerBound": "0", "maxLeverage": item["maxLeverage"]}]
            found[symbol] = _tiers(tables.get(str(item.get("marginTableId")), alone))
        return found


def _tiers(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return margin tiers as ccxt has them, of rows that say where each begins."""
    ends = [row["lowerBound"] for row in rows[1:]] + [None]
    return [
        {
            "maxNotional": end,
            "maxLeverage": row["maxLeverage"],
            "maintenanceMarginRate": str(1 / (2 * Decimal(row["maxLeverage"]))),
        }
        for row, end in zip(rows, ends, strict=True)
    ]


@cache
def _domain_hash(domain: tuple[tuple[str, Any], ...]) -> bytes:
    """Return the hash of a domain, as ccxt has it: two bytes are before it, and the message's hash behind."""
    types = {"Agent": [{"name": "source", "type": "string"}]}
    encoded: bytes = ccxt.Exchange.eth_encode_structured_data(dict(domain), types, {"source": ""})
    return encoded[2:34]


def _keccak(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()
