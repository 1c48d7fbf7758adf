"""Where a webhook may lead: http(s) only, never to this machine or its network unless the setting allows it.

The name is looked up here and the connection goes to the address that was checked: a name that answers differently the
second time leads nowhere else.
"""

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

from msgspec import Struct

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """The address must not be asked, or there is none."""


class Target(Struct, frozen=True):
    """A checked address: `url` names it by number, `host` is what the Host header and the certificate say."""

    url: str
    host: str
    name: str
    path: str


def refusal(address: Address, private_allowed: bool) -> str | None:
    """Say why an address is not asked; None when it may be. Link-local ones (metadata of clouds) never are."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return f"{address} is no receiver's address"
    if not private_allowed and not address.is_global:
        return f"{address} is a private address"
    return None


def fault_of(url: str, private_allowed: bool) -> str | None:
    """Say what is wrong with a URL as far as it can be seen without looking its name up; None if nothing is."""
    try:
        parts = urlsplit(url)
        name, _ = parts.hostname, parts.port
    except ValueError:
        return "not a URL"
    if parts.scheme not in ("http", "https") or not name:
        return "only http and https, with a host"
    if parts.username is not None or parts.password is not None:
        return "no user and password in it"
    if parts.fragment:
        return "no fragment"
    literal = _literal(name)
    return None if literal is None else refusal(literal, private_allowed)


async def resolve(url: str, private_allowed: bool) -> Target:
    """Return where to connect; Refused when no address of the host may be asked."""
    fault = fault_of(url, private_allowed)
    if fault is not None:
        raise Refused(fault)
    parts = urlsplit(url)
    name, port = parts.hostname or "", parts.port
    literal = _literal(name)
    addresses = [literal] if literal is not None else await _look_up(name)
    faults = [refusal(address, private_allowed) for address in addresses]
    # one bad address among several refuses the name: whoever mixes them means no good
    for found in faults:
        if found is not None:
            raise Refused(found)
    if not addresses:
        raise Refused("the host has no address")
    suffix = "" if port is None else f":{port}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    shown = f"[{addresses[0]}]" if addresses[0].version == 6 else str(addresses[0])
    host = f"[{name}]" if ":" in name else name
    return Target(f"{parts.scheme}://{shown}{suffix}{path}", f"{host}{suffix}", name, path)


def _literal(name: str) -> Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


async def _look_up(name: str) -> list[Address]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refused("the host has no address") from error
    return [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
