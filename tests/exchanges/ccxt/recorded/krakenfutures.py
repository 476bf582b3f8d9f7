"""Messages in the form that Kraken documents for its futures; the figures are made up, and none was ever sent."""

VENUE = "krakenfutures"
SYMBOL = "BTC/USD:USD"
CURRENCY = "USD"
KEYS = {"api_key": "key", "secret": "c2VjcmV0"}
ORDER_ID = "59302619-41d2-4f0b-941f-7e7914760ad3"


def _ok(**fields):
    return {"result": "success", "serverTime": "2026-09-21T14:13:20.123Z"} | fields


def _error(words):
    return {"result": "error", "error": words, "serverTime": "2026-09-21T14:13:20.123Z"}


FILL = {
    "instrument": "PF_XBTUSD", "time": 1789999999400, "price": 50000.1, "seq": 36, "buy": True, "qty": 0.002,
    "remaining_order_qty": 0.015, "order_id": ORDER_ID, "cli_ord_id": "main-1-000001",
    "fill_id": "cad76f07-814e-4dc6-8478-7867407b6bff", "fill_type": "maker", "fee_paid": 0.05000010,
    "fee_currency": "USD", "taker_order_type": "ioc", "order_type": "limit",
}  # fmt: skip

ANSWERS = {
    "v3/instruments": _ok(instruments=[{
        "symbol": "PF_XBTUSD", "type": "flexible_futures", "tradeable": True, "base": "BTC", "quote": "USD",
        "tickSize": 0.5, "contractSize": 1, "impactMidSize": 1, "maxPositionSize": 1000000,
        "openingDate": "2022-03-22T00:00:00.000Z", "fundingRateCoefficient": 8, "maxRelativeFundingRate": 0.001,
        "contractValueTradePrecision": 4, "postOnly": False, "feeScheduleUid": "5b755fea-c5b0-4307-a66e-b392cd5bd931",
        "category": "Layer 1", "tags": [], "isin": "GB00JVMLMP88",
        "marginLevels": [
            {"numNonContractUnits": 0, "initialMargin": 0.02, "maintenanceMargin": 0.01},
            {"numNonContractUnits": 500000, "initialMargin": 0.04, "maintenanceMargin": 0.02},
        ],
    }]),
    "v3/accounts": _ok(accounts={
        "cash": {"type": "cashAccount", "balances": {"usd": 12.5}},
        "flex": {
            "type": "multiCollateralMarginAccount", "initialMargin": 0, "initialMarginWithOrders": 0, "pnl": 5,
            "maintenanceMargin": 0, "balanceValue": 10000, "portfolioValue": 10005, "collateralValue": 10000,
            "unrealizedFunding": 0, "totalUnrealized": 5, "availableMargin": 9000, "marginEquity": 10005,
            "totalUnrealizedAsMargin": 5,
            "currencies": {"USD": {"quantity": 9999.87654321, "value": 9999.87654321, "collateral": 9999.87654321,
                                   "available": 9000}},
        },
    }),
    "v3/openpositions": _ok(openPositions=[
        {"side": "short", "symbol": "PF_XBTUSD", "price": 50100.5, "fillTime": "2026-09-20T10:00:00.000Z", "size": 0.02,
         "unrealizedFunding": -0.001, "pnlCurrency": "USD"},
    ]),
    "v3/openorders": _ok(openOrders=[
        {"order_id": ORDER_ID, "cliOrdId": "main-1-000001", "symbol": "PF_XBTUSD", "side": "buy", "orderType": "lmt",
         "limitPrice": 50000, "unfilledSize": 0.015, "filledSize": 0.005, "reduceOnly": False,
         "status": "partiallyFilled", "receivedTime": "2026-09-21T14:13:19.000Z",
         "lastUpdateTime": "2026-09-21T14:13:19.500Z"},
        {"order_id": "c18f0c17-9971-40e6-8e5b-10df05d422f0", "cliOrdId": "main-1-000002", "symbol": "PF_XBTUSD",
         "side": "sell", "orderType": "stop", "stopPrice": 49000, "unfilledSize": 0.02, "filledSize": 0,
         "reduceOnly": True, "status": "untouched", "triggerSignal": "mark",
         "receivedTime": "2026-09-21T14:13:19.000Z", "lastUpdateTime": "2026-09-21T14:13:19.000Z"},
    ]),
    "v3/orders/status": _ok(orders=[]),
    "v3/orders/status main-1-000001": _ok(orders=[{
        "order": {
            "type": "ORDER", "orderId": ORDER_ID, "cliOrdId": "main-1-000001", "symbol": "PF_XBTUSD", "side": "buy",
            "quantity": 0.02, "filled": 0.005, "limitPrice": 50000, "reduceOnly": False,
            "timestamp": "2026-09-21T14:13:19.000Z", "lastUpdateTimestamp": "2026-09-21T14:13:19.500Z",
        },
        "status": "ENTERED_BOOK", "updateReason": None, "error": None,
    }]),
    "v3/fills": _ok(fills=[
        {"fillTime": "2026-09-21T14:13:19.400Z", "order_id": ORDER_ID, "cliOrdId": "main-1-000001",
         "symbol": "PF_XBTUSD", "fill_id": "cad76f07-814e-4dc6-8478-7867407b6bff", "side": "buy", "size": 0.002,
         "price": 50000.1, "fillType": "maker"},
    ]),
    "account-log": {"accountUid": "f92fc7de-2fce-4265-b806-4f3c1efb37ee", "logs": [
        {"id": 16, "date": "2026-09-21T08:00:00.000Z", "asset": "usd", "info": "funding rate change",
         "booking_uid": "124f43a6-389a-4349-abc6-06fc7eeac86b", "margin_account": "flex", "old_balance": 10000,
         "new_balance": 9999.98749942, "old_average_entry_price": None, "new_average_entry_price": None,
         "trade_price": None, "mark_price": None, "realized_pnl": None, "fee": 0, "execution": None, "collateral": None,
         "funding_rate": 0.00005, "realized_funding": -0.01250058, "contract": "pf_xbtusd"},
    ]},
    "historicalfundingrates": _ok(rates=[
        {"timestamp": "2026-09-21T08:00:00.000Z", "fundingRate": 2.5, "relativeFundingRate": 0.00005},
    ]),
}  # fmt: skip

EXPECTED_INSTRUMENT = {
    "tick_size": "0.5", "lot_size": "0.0001", "contract_size": "1", "contracts_min": "0.0001", "notional_min": "0",
}  # fmt: skip
BALANCE = "9999.87654321"
POSITION = ("-0.02", "-1002.01")
FUNDING_PAID = "-0.01250058"
ORDERS_TOLD = {
    "feed": "open_orders", "is_cancel": False, "reason": "new_placed_order_by_user", "order": {
        "instrument": "PF_XBTUSD", "time": 1789999999000, "last_update_time": 1789999999500, "qty": 0.015,
        "filled": 0.005, "limit_price": 50000.0, "stop_price": 0.0, "type": "limit", "order_id": ORDER_ID,
        "direction": 0,
        "reduce_only": False, "cli_ord_id": "main-1-000001",
    },
}  # fmt: skip
FILLS_TOLD = {"feed": "fills", "username": "demo", "fills": [FILL]}
LIQUIDATION_TOLD = FILLS_TOLD | {
    "fills": [FILL | {"buy": False, "fill_type": "liquidation", "fill_id": "x", "order_id": "y", "cli_ord_id": None}]
}
OLD_FILLS_TOLD = {"feed": "fills_snapshot", "account": "demo", "fills": [FILL]}
FILL_SIZE = "0.002"
READ_FEE = "0.02000004"
"""Of 100.0002 by the public table: ccxt reckons it, for the venue does not say it there."""
ORDERS, TRADES = "orders", "myTrades"
FILL_FEE = ("0.0500001", "USD")
CONTRACTS, FILLED, PRICE = "0.02", "0.005", "50000"
SUBMIT = "v3/sendorder"
ERRORS = {
    "rejected": _ok(sendStatus={"status": "insufficientAvailableFunds", "receivedTime": "2026-09-21T14:13:20.000Z"}),
    "unknown": _error("Server Error"),
    "fatal": _error("authenticationError"),
}
STOP_SENT = ("orderType=stp", "stopPrice=49000", "triggerSignal=mark", "reduceOnly=true", "cliOrdId=main-1-000002")
TICKER_TOLD = {
    "feed": "ticker", "product_id": "PF_XBTUSD", "time": 1789999999900, "bid": 50000.5, "ask": 50001.0, "bid_size": 1.5,
    "ask_size": 2.25, "volume": 1234.5, "dtm": 0, "leverage": "50x", "index": 50003.1, "premium": 0.0, "last": 50001.0,
    "change": 1.0, "suspended": False, "tag": "perpetual", "pair": "XBT:USD", "openInterest": 1000.0,
    "markPrice": 50002.31, "maturityTime": 0, "post_only": False, "volumeQuote": 1.0, "funding_rate": 2.5,
    "relative_funding_rate": 0.00005, "next_funding_rate_time": 1790002800000,
}  # fmt: skip
