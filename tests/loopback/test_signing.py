"""The oracle that the venue on loopback tells signers by, held against vectors that others have published."""

import pytest

from app.exchanges.ccxt.client import open_client
from app.settings.ccxt import CcxtSettings
from tests.loopback.hyperliquid import PRIVATE_KEY, WALLET
from tests.loopback.signing import address_of_key, keccak, packb, signer_of

EMPTY = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
ABC = "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"
ORDER = {
    "type": "order",
    "orders": [{"a": 0, "b": True, "p": "50000", "s": "0.01", "r": False, "t": {"limit": {"tif": "Gtc"}}}],
    "grouping": "na",
}


@pytest.mark.parametrize(("data", "digest"), [(b"", EMPTY), (b"abc", ABC)])
def test_keccak_is_ethereums(data, digest):
    """The digests of nothing and of abc, which Ethereum's yellow paper and its clients have; SHA-3's are others."""
    assert keccak(data).hex() == digest


def test_msgpack_is_that_of_its_specification():
    """The example on msgpack.org."""
    assert packb({"compact": True, "schema": 0}) == b"\x82\xa7compact\xc3\xa6schema\x00"


def test_the_address_of_the_key_one_is_known():
    assert address_of_key("0x1") == "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"


def test_the_vector_of_the_venues_own_client_is_recovered():
    """Its test of an action on the main network: a dummy with a number, nonce 0, by a key of counted digits."""
    signature = {
        "r": "0x53749d5b30552aeb2fca34b530185976545bb22d0b3ce6f62e31be961a59298",
        "s": "0x755c40ba9bf05223521753995abb2f73ab3229be8ec921f350cb447e384d8ed8",
        "v": 27,
    }
    key = "0x" + "0123456789" * 6 + "0123"
    assert signer_of({"type": "dummy", "num": 100_000_000_000}, 0, None, signature) == address_of_key(key)


@pytest.mark.parametrize("is_demo", [False, True])
async def test_what_the_client_signs_faster_is_what_ccxt_signs(is_demo):
    """The same bytes as by ccxt's own functions, hashed in Python."""
    keys = {"wallet_address": WALLET, "private_key": PRIVATE_KEY}
    client = open_client(CcxtSettings(venue="hyperliquid", demo=is_demo, **keys), valid_s=5, with_keys=True)
    nonce = 1_790_000_000_000
    try:
        ours = client.sign_l1_action(ORDER, nonce)
        assert signer_of(ORDER, nonce, nonce + 5000, ours, source="b" if is_demo else "a") == address_of_key(
            PRIVATE_KEY
        )
        theirs = super(type(client).__mro__[1], client)
        assert client.hash(b"abc", "keccak", "hex") == ABC == theirs.hash(b"abc", "keccak", "hex")
        assert client.hash(b"abc", "sha256", "hex") == theirs.hash(b"abc", "sha256", "hex")
        domain = {"chainId": 1337, "name": "Exchange", "verifyingContract": "0x" + "0" * 40, "version": "1"}
        for types, message in (
            (
                {"Agent": [{"name": "source", "type": "string"}, {"name": "connectionId", "type": "bytes32"}]},
                {"source": "a", "connectionId": bytes(range(32))},
            ),
            ({"Other": [{"name": "of", "type": "string"}]}, {"of": "b"}),
        ):
            encoded = client.eth_encode_structured_data(domain, types, message)
            assert encoded == theirs.eth_encode_structured_data(domain, types, message)
    finally:
        await client.close()
