"""Which network addresses a row may make this program speak to."""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Not private by Python's tables, or only in some of its versions: shared carrier-grade NAT (RFC 6598), benchmarking
# (RFC 2544), protocol assignments (RFC 6890), the 6to4 relay (RFC 7526); and for IPv6 the ranges that wrap an IPv4
# address or lead to a local translator: NAT64 for local use (RFC 8215), Teredo (RFC 4380), 6to4 (RFC 3056), discard
# (RFC 6666), documentation, SRv6 (RFC 9602), deprecated site-local (RFC 3879) and IPv4-compatible (RFC 4291).
_REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4",
        "::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16",
        "fec0::/10",
    )
)  # fmt: skip
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an address is an ordinary one on the public internet.

    An IPv4 address inside an IPv6 one (IPv4-mapped, NAT64 well-known prefix) is judged as the IPv4 address it reaches.

    >>> is_public("93.184.215.14"), is_public("::ffff:127.0.0.1"), is_public("64:ff9b::a00:1"), is_public("169.254.1.1")
    (True, False, False, False)
    """
    try:
        # A scope ("fe80::1%eth0") says which interface a link-local address belongs to.
        parsed: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        elif parsed in _NAT64:
            parsed = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
    if any(parsed.version == network.version and parsed in network for network in _REFUSED):
        return False
    return parsed.is_global and not (
        parsed.is_multicast or parsed.is_reserved or parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified
    )
