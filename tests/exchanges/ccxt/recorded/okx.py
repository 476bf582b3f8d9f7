"""Messages in the form that okx documents for its v5 interface; the figures are made up, and none was ever sent."""

from app.exchanges.ccxt.client_ids import HexIds

VENUE = "okx"
SYMBOL = "BTC/USDT:USDT"
CURRENCY = "USDT"
KEYS = {"api_key": "key", "secret": "secret", "password": "phrase"}
OURS = HexIds("main", "").to_venue("main-1-000001")


def _ok(*data):
    return {"code": "0", "msg": "", "data": list(data)}


def _error(code, words, *data):
    return {"code": code, "msg": words, "data": list(data)}


ORDER = {
    "accFillSz": "0.5", "algoClOrdId": "", "algoId": "", "attachAlgoClOrdId": "", "attachAlgoOrds": [],
    "avgPx": "50000.1", "cTime": "1789999999000", "cancelSource": "", "cancelSourceReason": "", "category": "normal",
    "ccy": "", "clOrdId": OURS, "fee": "-0.05000010", "feeCcy": "USDT", "fillPx": "50000.1", "fillSz": "0.2",
    "fillTime": "1789999999400", "instId": "BTC-USDT-SWAP", "instType": "SWAP", "isTpLimit": "false", "lever": "10",
    "ordId": "312269865356374016", "ordType": "limit", "pnl": "0", "posSide": "net", "px": "50000.1", "pxType": "",
    "quickMgnType": "", "rebate": "0", "rebateCcy": "USDT", "reduceOnly": "false", "side": "buy", "slOrdPx": "",
    "slTriggerPx": "", "slTriggerPxType": "", "source": "", "state": "partially_filled", "stpId": "", "stpMode": "",
    "sz": "2", "tag": "", "tdMode": "cross", "tgtCcy": "", "tpOrdPx": "", "tpTriggerPx": "", "tpTriggerPxType": "",
    "tradeId": "1518905529", "uTime": "1789999999500",
}  # fmt: skip
TOLD = ORDER | {
    "amendResult": "", "amendSource": "", "code": "0", "execType": "M", "fillFee": "-0.05000010", "fillFeeCcy": "USDT",
    "fillNotionalUsd": "250.0", "fillPnl": "0", "lastPx": "50000.1", "msg": "", "notionalUsd": "1000.0", "reqId": "",
}  # fmt: skip
FILL = {
    "instType": "SWAP", "instId": "BTC-USDT-SWAP", "tradeId": "1518905529", "ordId": "312269865356374016",
    "clOrdId": OURS, "billId": "7890", "subType": "3", "tag": "", "fillPx": "50000.1", "fillSz": "0.2",
    "fillIdxPx": "50010", "fillPnl": "0", "fillPxVol": "", "fillPxUsd": "", "fillMarkVol": "", "fillFwdPx": "",
    "fillMarkPx": "50002.31", "side": "buy", "posSide": "net", "execType": "M", "feeCcy": "USDT", "fee": "-0.05000010",
    "ts": "1789999999400", "fillTime": "1789999999400",
}  # fmt: skip

ANSWERS = {
    "public/instruments": _ok(),
    "public/instruments instType=SWAP": _ok({
        "alias": "", "baseCcy": "", "category": "1", "ctMult": "1", "ctType": "linear", "ctVal": "0.01",
        "ctValCcy": "BTC", "expTime": "", "instFamily": "BTC-USDT", "instId": "BTC-USDT-SWAP", "instType": "SWAP",
        "lever": "100", "listTime": "1611916828000", "lotSz": "0.01", "maxLmtAmt": "20000000",
        "maxLmtSz": "100000000", "maxMktAmt": "", "maxMktSz": "35000", "maxStopSz": "35000",
        "maxTwapSz": "100000000", "minSz": "0.01", "optType": "", "quoteCcy": "", "ruleType": "normal",
        "settleCcy": "USDT", "state": "live", "stk": "", "tickSz": "0.1", "uly": "BTC-USDT",
    }),
    "account/balance": _ok({
        "adjEq": "", "totalEq": "10010.5", "uTime": "1789999999000", "upl": "5", "details": [
            {"ccy": "USDC", "cashBal": "7", "eq": "7", "availBal": "7", "availEq": "7", "frozenBal": "0"},
            {"ccy": "USDT", "cashBal": "9999.87654321", "eq": "10004.87", "availBal": "9000", "availEq": "9000",
             "frozenBal": "100", "upl": "5", "uTime": "1789999999000"},
        ],
    }),
    "account/positions": _ok({
        "adl": "1", "availPos": "", "avgPx": "50100.5", "cTime": "1619507758793", "ccy": "USDT", "fundingFee": "0",
        "imr": "100", "instId": "BTC-USDT-SWAP", "instType": "SWAP", "interest": "0", "last": "50000.1", "lever": "10",
        "liab": "", "liqPx": "", "margin": "", "markPx": "50002.31", "mgnMode": "cross", "mgnRatio": "24", "mmr": "4",
        "notionalUsd": "1000", "pos": "-2", "posCcy": "", "posId": "307173036051017730", "posSide": "net",
        "tradeId": "109844", "uTime": "1789999999900", "upl": "1.96", "uplRatio": "0.0196", "realizedPnl": "0",
    }),
    "trade/orders-pending": _ok(ORDER),
    "trade/order": _error("51603", "Order does not exist"),
    f"trade/order clOrdId={OURS}": _ok(ORDER),
    "trade/fills-history": _ok(FILL),
    "account/bills-archive": _ok({
        "bal": "9999.9", "balChg": "-0.01250058", "billId": "623950854533513219", "ccy": "USDT", "clOrdId": "",
        "execType": "", "fee": "0", "fillIdxPx": "", "fillTime": "", "from": "", "instId": "BTC-USDT-SWAP",
        "instType": "SWAP", "interest": "0", "mgnMode": "cross", "notes": "", "ordId": "", "pnl": "-0.01250058",
        "posBal": "0", "posBalChg": "0", "px": "50002.31", "subType": "173", "sz": "2", "tag": "", "to": "",
        "tradeId": "", "ts": "1789977600012", "type": "8",
    }),
    "public/funding-rate-history": _ok({
        "formulaType": "withRate", "fundingRate": "0.00005", "fundingTime": "1789977600000", "instId": "BTC-USDT-SWAP",
        "instType": "SWAP", "method": "current_period", "realizedRate": "0.00005",
    }),
}  # fmt: skip

EXPECTED_INSTRUMENT = {
    "tick_size": "0.1", "lot_size": "0.01", "contract_size": "0.01", "contracts_min": "0.01", "notional_min": "0",
}  # fmt: skip
BALANCE = "9999.87654321"
POSITION = ("-2", "-1002.01")
FUNDING_PAID = "-0.01250058"
_ARG = {"channel": "orders", "instType": "ANY", "uid": "614488474791936"}
ORDERS_TOLD = FILLS_TOLD = {"arg": _ARG, "data": [TOLD]}
LIQUIDATION_TOLD = {
    "arg": _ARG,
    "data": [TOLD | {"category": "full_liquidation", "side": "sell", "clOrdId": "", "ordId": "9", "tradeId": "77"}],
}
OLD_FILLS_TOLD = None
FILL_SIZE = "0.2"
ORDERS, TRADES = "orders", "orders::myTrades"
FILL_FEE = ("0.0500001", "USDT")
CONTRACTS, FILLED, PRICE = "2", "0.5", "50000.1"
SUBMIT = "trade/batch-orders"
_REFUSED = {"clOrdId": OURS, "ordId": "", "sCode": "51008", "sMsg": "Insufficient USDT margin in account", "tag": ""}
ERRORS = {
    "rejected": _error("1", "All operations failed", _REFUSED),
    "unknown": _error("50004", "API endpoint request timeout "),
    "fatal": (401, _error("50111", "Invalid OK-ACCESS-KEY")),
}
