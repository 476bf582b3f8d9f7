"""Messages in the form that bybit documents for its v5 interface; the figures are made up, and none was ever sent."""

VENUE = "bybit"
SYMBOL = "BTC/USDT:USDT"
CURRENCY = "USDT"
KEYS = {"api_key": "key", "secret": "secret"}


def _ok(result):
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": 1790000000123}


def _error(code, words):
    return {"retCode": code, "retMsg": words, "result": {}, "retExtInfo": {}, "time": 1790000000123}


ORDER = {
    "category": "linear", "symbol": "BTCUSDT", "orderId": "5cf98598-39a7-459e-97bf-76ca765ee020",
    "orderLinkId": "main-1-000001", "blockTradeId": "", "side": "Buy", "orderStatus": "PartiallyFilled",
    "cancelType": "UNKNOWN", "rejectReason": "EC_NoError", "timeInForce": "GTC", "isLeverage": "", "price": "50000.1",
    "qty": "0.020", "avgPrice": "50000.1", "leavesQty": "0.015", "leavesValue": "750.0015", "cumExecQty": "0.005",
    "cumExecValue": "250.0005", "cumExecFee": "0.05000010", "orderType": "Limit", "stopOrderType": "", "orderIv": "",
    "triggerPrice": "", "takeProfit": "", "stopLoss": "", "triggerBy": "", "tpTriggerBy": "", "slTriggerBy": "",
    "triggerDirection": 0, "placeType": "", "lastPriceOnCreated": "50010.0", "closeOnTrigger": False,
    "reduceOnly": False, "smpGroup": 0, "smpType": "None", "smpOrderId": "", "tpslMode": "UNKNOWN",
    "createType": "CreateByUser", "createdTime": "1789999999000", "updatedTime": "1789999999500", "feeCurrency": "",
}  # fmt: skip
STOP = ORDER | {
    "orderId": "c6f055d9-7f21-4079-913d-e6523a9cfffa", "orderLinkId": "main-1-000002", "side": "Sell",
    "orderStatus": "Untriggered", "price": "0", "qty": "0.020", "leavesQty": "0.020", "cumExecQty": "0", "avgPrice": "",
    "cumExecValue": "0", "orderType": "Market", "stopOrderType": "Stop", "triggerPrice": "49000.0",
    "triggerBy": "MarkPrice", "triggerDirection": 2, "reduceOnly": True, "timeInForce": "IOC",
}  # fmt: skip
FILL = {
    "category": "linear", "symbol": "BTCUSDT", "isLeverage": "", "orderId": "5cf98598-39a7-459e-97bf-76ca765ee020",
    "orderLinkId": "main-1-000001", "side": "Buy", "orderPrice": "50000.1", "orderQty": "0.020", "leavesQty": "0.015",
    "createType": "CreateByUser", "orderType": "Limit", "stopOrderType": "UNKNOWN", "execFee": "0.05000010",
    "execId": "2280086f-4a8c-53fb-8a96-5a8a5d5a3b8d", "execPrice": "50000.1", "execQty": "0.002", "execType": "Trade",
    "execValue": "250.0005", "execTime": "1789999999400", "isMaker": True, "feeRate": "0.0002", "tradeIv": "",
    "markIv": "", "markPrice": "50002.31", "indexPrice": "", "underlyingPrice": "", "blockTradeId": "",
    "closedSize": "", "seq": 4688002127, "feeCurrency": "",
}  # fmt: skip
LIQUIDATION = FILL | {
    "orderId": "a1b0b1a0-0000-4000-8000-00000000aaaa", "orderLinkId": "", "side": "Sell", "execType": "BustTrade",
    "execId": "2280086f-4a8c-53fb-8a96-5a8a5d5a0000", "isMaker": False,
}  # fmt: skip
FUNDING = FILL | {
    "orderId": "1789977600-BTCUSDT-123456-Buy", "orderLinkId": "", "execType": "Funding", "side": "Buy",
    "execId": "9aef3c0a-5c0e-4b7c-8e6c-0d3c1a2b3c4d", "execFee": "0.01250058", "feeRate": "0.00005", "execQty": "0.002",
    "execPrice": "50002.31", "execValue": "250.01155", "execTime": "1789977600012", "orderType": "UNKNOWN",
}  # fmt: skip

ANSWERS = {
    "instruments-info": _ok({"category": "linear", "list": [], "nextPageCursor": ""}),
    "instruments-info category=linear": _ok({"category": "linear", "list": [{
        "symbol": "BTCUSDT", "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": "BTC",
        "quoteCoin": "USDT", "launchTime": "1585526400000", "deliveryTime": "0", "deliveryFeeRate": "",
        "priceScale": "2", "unifiedMarginTrade": True, "fundingInterval": 480, "settleCoin": "USDT",
        "copyTrading": "both", "upperFundingRate": "0.00375", "lowerFundingRate": "-0.00375", "isPreListing": False,
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.10"},
        "lotSizeFilter": {
            "maxOrderQty": "1190.000", "minOrderQty": "0.001", "qtyStep": "0.001", "postOnlyMaxOrderQty": "1190.000",
            "maxMktOrderQty": "500.000", "minNotionalValue": "5",
        },
    }], "nextPageCursor": ""}),
    "risk-limit": _ok({"category": "linear", "list": [
        {"id": 1, "symbol": "BTCUSDT", "riskLimitValue": "2000000", "maintenanceMargin": "0.005",
         "initialMargin": "0.01", "isLowestRisk": 1, "maxLeverage": "100.00", "mmDeduction": ""},
        {"id": 2, "symbol": "BTCUSDT", "riskLimitValue": "4000000", "maintenanceMargin": "0.01",
         "initialMargin": "0.0175", "isLowestRisk": 0, "maxLeverage": "57.14", "mmDeduction": "10000"},
    ]}),
    "query-api": _ok({"id": "1", "uta": 1, "unified": 0, "readOnly": 0, "isMaster": True}),
    "account/info": _ok({"marginMode": "REGULAR_MARGIN", "unifiedMarginStatus": 6, "updatedTime": "1697078946000"}),
    "wallet-balance": _ok({"list": [{
        "accountType": "UNIFIED", "totalEquity": "10010.5", "totalWalletBalance": "10000.25", "accountIMRate": "0",
        "coin": [
            {"coin": "USDC", "walletBalance": "7", "equity": "7", "unrealisedPnl": "0", "locked": "0"},
            {"coin": "USDT", "walletBalance": "9999.87654321", "equity": "10004.87", "unrealisedPnl": "5",
             "locked": "0", "usdValue": "9999.8", "cumRealisedPnl": "-0.12", "bonus": "0", "marginCollateral": True},
        ],
    }]}),
    "position/list": _ok({"category": "linear", "nextPageCursor": "", "list": [{
        "positionIdx": 0, "riskId": 1, "riskLimitValue": "150", "symbol": "BTCUSDT", "side": "Sell", "size": "0.020",
        "avgPrice": "50100.5", "positionValue": "1002.01", "tradeMode": 0, "positionStatus": "Normal",
        "adlRankIndicator": 2, "leverage": "10", "positionBalance": "0", "markPrice": "50002.31", "liqPrice": "",
        "bustPrice": "", "positionMM": "5.0", "positionIM": "100.2", "tpslMode": "Full", "takeProfit": "0.00",
        "stopLoss": "0.00", "trailingStop": "0.00", "unrealisedPnl": "1.96", "curRealisedPnl": "0",
        "cumRealisedPnl": "-25.06", "seq": 5723621632, "isReduceOnly": False, "createdTime": "1676538056258",
        "updatedTime": "1789999999900",
    }]}),
    "order/realtime": _ok({"category": "linear", "nextPageCursor": "", "list": [ORDER, STOP]}),
    "order/realtime orderLinkId=main-1-000001": _ok({"category": "linear", "nextPageCursor": "", "list": [ORDER]}),
    "order/realtime orderLinkId=main-1-000099": _ok({"category": "linear", "nextPageCursor": "", "list": []}),
    "order/history": _ok({"category": "linear", "nextPageCursor": "", "list": []}),
    "execution/list execType=Trade": _ok({"category": "linear", "nextPageCursor": "", "list": [FILL]}),
    "execution/list execType=Funding": _ok({"category": "linear", "nextPageCursor": "", "list": [FUNDING]}),
    "funding/history": _ok({"category": "linear", "list": [
        {"symbol": "BTCUSDT", "fundingRate": "0.00005", "fundingRateTimestamp": "1789977600000"},
    ]}),
}  # fmt: skip

EXPECTED_INSTRUMENT = {
    "tick_size": "0.1", "lot_size": "0.001", "contract_size": "1", "contracts_min": "0.001", "contracts_max": "1190",
    "notional_min": "5",
}  # fmt: skip
BALANCE = "9999.87654321"
POSITION = ("-0.02", "-1002.01")
FUNDING_PAID = "-0.01250058"
ORDERS_TOLD = {"topic": "order", "id": "5923240c6880ab-c59f-420b-9adb-3639adc9dd90", "creationTime": 1789999999500,
               "data": [ORDER]}  # fmt: skip
FILLS_TOLD = {"topic": "execution", "id": "592324803b2785-26fa-4214-9963-bdd4727f07be", "creationTime": 1789999999400,
              "data": [FILL]}  # fmt: skip
LIQUIDATION_TOLD = FILLS_TOLD | {"data": [LIQUIDATION]}
OLD_FILLS_TOLD = None
FILL_SIZE = "0.002"
ORDERS, TRADES = "orders", "myTrades"
FILL_FEE = ("0.0500001", "USDT")
CONTRACTS, FILLED, PRICE = "0.02", "0.005", "50000.1"
SUBMIT = "order/create"
ERRORS = {
    "rejected": _error(110007, "CreateOrder ab not enough for new order"),
    "unknown": _error(10016, "Server error."),
    "fatal": _error(10003, "API key is invalid."),
}
STOP_SENT = (
    '"triggerPrice":"49000"',
    '"triggerBy":"MarkPrice"',
    '"triggerDirection":2',
    '"reduceOnly":true',
    "main-1-000002",
)
TICKER_TOLD = {"topic": "tickers.BTCUSDT", "type": "snapshot", "cs": 24987956059, "ts": 1789999999900, "data": {
    "symbol": "BTCUSDT", "tickDirection": "PlusTick", "price24hPcnt": "0.01", "lastPrice": "50001.0",
    "highPrice24h": "50500", "lowPrice24h": "49400", "prevPrice1h": "49990", "markPrice": "50002.31",
    "indexPrice": "50003.10", "openInterest": "68744", "openInterestValue": "3437200000", "turnover24h": "1000",
    "volume24h": "20", "nextFundingTime": "1790006400000", "fundingRate": "0.00005", "bid1Price": "50000.9",
    "bid1Size": "84.4", "ask1Price": "50001.0", "ask1Size": "83.8",
}}  # fmt: skip
