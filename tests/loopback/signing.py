"""Who signed an action at hyperliquid, found from the signature alone. Written from the formulas, not from a client's code.

An action is packed by msgpack in the order of the venue's own fields; its hash with nonce, vault and expiry is what an
"agent" of EIP-712 (domain Exchange, version 1, chain 1337) says, and what is signed on secp256k1.
"""

from ccxt.static_dependencies.keccak import SHA3
from ccxt.static_dependencies.msgpack import packb

FIELD = 2**256 - 2**32 - 977
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
BASE = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def keccak(data):
    return SHA3(data)


def action_hash(action, nonce, expires_after):
    packed = packb(action) + nonce.to_bytes(8, "big") + b"\x00"
    if expires_after is not None:
        packed += b"\x00" + expires_after.to_bytes(8, "big")
    return keccak(packed)


def signer_of(action, nonce, expires_after, signature, *, source="a"):
    """Return the address that signed."""
    domain = keccak(
        keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
        + keccak(b"Exchange")
        + keccak(b"1")
        + (1337).to_bytes(32, "big")
        + bytes(32)
    )
    agent = keccak(
        keccak(b"Agent(string source,bytes32 connectionId)")
        + keccak(source.encode())
        + action_hash(action, nonce, expires_after)
    )
    digest = keccak(b"\x19\x01" + domain + agent)
    r, s, v = (int(str(signature[key]), 16 if key != "v" else 10) for key in "rsv")
    return recover(digest, r, s, v - 27)


def recover(digest, r, s, odd):
    """Return the address whose key made a signature: Q = (s R - z G) / r."""
    y = pow(r**3 + 7, (FIELD + 1) // 4, FIELD)
    y = y if y % 2 == odd else FIELD - y
    inverse = pow(r, -1, ORDER)
    z = int.from_bytes(digest, "big")
    return address_of(_add(_times((r, y), s * inverse % ORDER), _times(BASE, -z * inverse % ORDER)))


def address_of_key(private_key):
    """Return the address of a private key."""
    return address_of(_times(BASE, int(private_key, 16)))


def address_of(point):
    return "0x" + keccak(point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big"))[-20:].hex()


def _add(left, right):
    if left is None or right is None:
        return left or right
    if left[0] == right[0]:
        if (left[1] + right[1]) % FIELD == 0:
            return None
        slope = 3 * left[0] ** 2 * pow(2 * left[1], -1, FIELD) % FIELD
    else:
        slope = (right[1] - left[1]) * pow(right[0] - left[0], -1, FIELD) % FIELD
    x = (slope**2 - left[0] - right[0]) % FIELD
    return x, (slope * (left[0] - x) - left[1]) % FIELD


def _times(point, factor):
    result = None
    while factor:
        if factor & 1:
            result = _add(result, point)
        point = _add(point, point)
        factor >>= 1
    return result
