"""Where a webhook may go. The gateway opens connections that strangers name: these are the rules.

An address is read by one strict pattern, and what the pattern took apart is what is connected to:
two readers of one URL that disagree are how such rules are got round.
"""

import ipaddress
import re
from dataclasses import dataclass

from inferproof.errors import Reason, RequestRejected

MAX_URL = 2048
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>(?:[/?][A-Za-z0-9._~:/?@!$&'()*+,;=%\[\]-]*)?)"
)
_PORTS = {"http": 80, "https": 443}
_TUNNELS = tuple(
    map(
        ipaddress.IPv6Network,
        ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "fec0::/10"),
    )
)
"""Addresses that stand for another one, which a router on the way would choose: NAT64, 6to4,
Teredo, IPv4-compatible; and the site-local ones that were given up."""

_METADATA = {
    ipaddress.ip_address(address): provider
    for address, provider in (
        ("169.254.169.254", "AWS, Azure, Google Cloud and others"),
        ("169.254.170.2", "AWS ECS"),
        ("169.254.170.23", "AWS EKS"),
        ("fd00:ec2::254", "AWS"),
        ("fd00:ec2::23", "AWS EKS"),
        ("fd20:ce::254", "Google Cloud"),
        ("168.63.129.16", "Azure"),
        ("192.0.0.192", "Oracle Cloud"),
        ("100.100.100.200", "Alibaba Cloud"),
    )
}
"""Where clouds give the credentials of a machine to whoever asks on it. Some are public addresses,
or in ranges that a library's next edition may call public: they are refused by name."""


@dataclass(frozen=True, slots=True)
class Target:
    """A webhook's URL, taken apart. `host` is without brackets; `path` begins with a slash."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as they stand in a Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def read_webhook_url(url: str, *, private: bool) -> Target:
    """The target that a URL names. `private` allows plain http, and any host and port.

    Soundness: a name may lead anywhere; whoever connects checks with `is_public` the address
    that it connects to.
    Raises: RequestRejected WEBHOOK_URL.
    """
    found = _URL.fullmatch(url) if len(url) <= MAX_URL else None
    if found is None:
        raise _refused(f"it must be an https URL of at most {MAX_URL} plain characters")
    scheme, host = found["scheme"], found["host"].strip("[]")
    port = int(found["port"] or _PORTS[scheme])
    if port > 65535:
        raise _refused(f"there is no port {port}")
    path = found["path"] if found["path"].startswith("/") else "/" + found["path"]
    if not private:
        if scheme != "https":
            raise _refused("it must begin with https://")
        if port < 1024 and port != 443:
            raise _refused(f"port {port} belongs to another service")
        if (provider := metadata_provider(host)) is not None:
            raise _refused(f"{host} is a metadata address of {provider}")
        if _is_literal(host) and not is_public(host):
            raise _refused(f"{host} is not a public address")
    elif ":" in host and not _is_literal(host):
        raise _refused(f"{host} is not an address")
    return Target(scheme, host, port, path)


def is_public(address: str) -> bool:
    """True for an IP address that anybody on the internet can be at.

    False for this machine, private and link-local networks, metadata services of clouds,
    multicast, what is reserved, what only stands for another address, and what is no address.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.scope_id is not None:
            return False
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if any(found in network for network in _TUNNELS):
            return False
    if found in _METADATA:
        return False
    return found.is_global and not (found.is_multicast or found.is_reserved)


def metadata_provider(address: str) -> str | None:
    """The cloud whose metadata service has this address, also as IPv6 writes IPv4; None for any
    other address, and for what is none."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return _METADATA.get(found)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return ":" in host
    return True


def _refused(problem: str) -> RequestRejected:
    return RequestRejected(Reason.WEBHOOK_URL, problem=problem)
