"""What a fake upstream answers about the names of other upstreams."""

import ipaddress

from . import wire


class Names:
    """Knows the addresses of some names and can forget them. Use as a fake upstream's answer."""

    def __init__(self, **names: list[str]):
        """names: with _ for each dot."""
        self.names = {name.replace("_", "."): addresses for name, addresses in names.items()}
        self.ttl = 60
        self.rcode = wire.NOERROR

    def __call__(self, asked: wire.Query):
        name = asked.name.rstrip(".").lower()
        if self.rcode != wire.NOERROR:
            return [(0, wire.respond(asked, rcode=self.rcode))]
        if name not in self.names:
            return [(0, wire.respond(asked, rcode=wire.NXDOMAIN))]
        records = []
        for text in self.names[name]:
            address = ipaddress.ip_address(text)
            rtype = wire.A if address.version == 4 else wire.AAAA
            if rtype == asked.qtype:
                records.append(wire.record(rtype, address.packed, ttl=self.ttl))
        return [(0, wire.respond(asked, tuple(records)))]
