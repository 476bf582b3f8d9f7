"""The settings of a real venue."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from app.settings.section import Seconds, Section


def _is_address(text: str) -> str:
    if not re.fullmatch("0x[0-9a-fA-F]{40}", text):
        raise ValueError("it is 0x and 40 hexadecimal digits")
    return text


def _is_private_key(key: SecretStr) -> SecretStr:
    if not re.fullmatch("(0x)?[0-9a-fA-F]{64}", key.get_secret_value()):
        raise ValueError("it is 64 hexadecimal digits, with 0x before them or without")
    return key


WalletAddress = Annotated[str, AfterValidator(_is_address)]
PrivateKey = Annotated[SecretStr, AfterValidator(_is_private_key)]


class CcxtSettings(Section):
    """A real venue, spoken to by ccxt. Its keys belong into the environment or a secrets folder, never into a file."""

    venue: Literal["binanceusdm", "bybit", "okx", "hyperliquid", "krakenfutures"] = "binanceusdm"
    demo: bool = Field(default=False, description="The venue's demo or test network: no real money.")
    experimental: bool = Field(default=False, description="Allow a venue that was only written by its documentation.")
    url: str | None = Field(
        None, pattern=r"^https?://[^/]+$", description="Stands in for every address of the venue: a proxy, a test."
    )
    api_key: SecretStr | None = None
    secret: SecretStr | None = None
    password: SecretStr | None = Field(None, description="okx calls it the passphrase.")
    wallet_address: WalletAddress | None = Field(None, description="hyperliquid: the account that is traded.")
    private_key: PrivateKey | None = Field(None, description="hyperliquid: of an agent wallet, which cannot withdraw.")
    accept_unknown: tuple[str, ...] = Field(
        (), description="Findings of doctor that cannot be told, and that you have seen to yourself: withdrawals."
    )
    request_timeout_s: Seconds = Field(8.0, description="For an answer; after it the outcome of an order is unknown.")
    requests_per_s_max: float = Field(10.0, ge=1, le=100, description="Cancels go first, then what reduces.")
    stream_silence_s_max: Seconds = Field(20.0, description="Without a mark price; then the stream is opened anew.")
    ping_every_s: Seconds = Field(15.0, description="Two pings unanswered, and a socket counts as dead.")
    key_refresh_s: Seconds = Field(
        1500.0, description="The account's stream is opened anew, before its key expires (binance: after an hour)."
    )
    dead_man_s: float | None = Field(
        None, ge=10, le=3600, description="Without progress for so long, the venue cancels what rests; none is off."
    )
