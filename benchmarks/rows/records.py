"""Ten messages in one TLS record: aim 3."""

from datetime import UTC, datetime
import time

import trustme

from ..bench import Bench
from ..channel import Program
from ..figures import Row, at_least, median
from ..plant import Plant, discovery, payloads
from ..site import House, Site

_MESSAGES = 10
_WITHIN = 0.05
_NODES = 2


def records(bench: Bench) -> list[Row]:
    """How many of ten are there within 50 ms."""
    with Site() as site:
        # Both start side by side.
        houses = [
            site.house(side, Plant((home,), _NODES))
            for side, home in (("homesync", "home"), ("core", "core"))
        ]
        found = {house.side: _side(bench, site, house) for house in houses}
        bench.note_versions(houses[0])
    return [
        Row(
            name="tls-record",
            what="ten messages in one TLS record: shown within 50 ms",
            unit="of 10",
            homesync=found["homesync"],
            core=found["core"],
            aim="10",
            verdict=at_least([min(found["homesync"])], _MESSAGES),
            note=f"core shows {median(found['core']):g}; the others wait for more traffic",
        )
    ]


def _side(bench: Bench, site: Site, house: House) -> list[float]:
    """Measure one integration, with a broker for itself."""
    scripted, port, ca = _start(site)
    house.ready(port=port, ca=ca)
    _populate(house, scripted)
    return [_measure(house, scripted, number) for number in range(1, bench.sizes.runs + 1)]


def _start(site: Site) -> tuple[Program, int, str]:
    """Return the broker over TLS, its port, and where its authority's certificate is."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    number = len(site.programs)
    ca, certificate, key = (
        site.folder / f"{number}-{name}.pem" for name in ("ca", "certificate", "key")
    )
    authority.cert_pem.write_to_path(ca)
    issued.private_key_pem.write_to_path(key)
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    scripted = site.start("scripted", str(certificate), str(key))
    return scripted, scripted.ask("listen"), str(ca)


def _populate(house: House, scripted: Program) -> None:
    plant = house.plant
    house.program.tell("entities", plant=plant.to_dict(), within=30)
    if house.side == "core":
        configs = [(where, config.decode()) for where, config in discovery(plant)]
        scripted.ask("one_by_one", messages=configs)
    else:
        scripted.ask("one_by_one", messages=_round(plant, 0))
    house.program.answer(40)
    # Core subscribes to new topics a moment later.
    time.sleep(1)


def _measure(house: House, scripted: Program, number: int) -> float:
    scripted.ask("one_by_one", messages=_round(house.plant, 2 * number))
    house.program.ask("watch")
    messages = _round(house.plant, 2 * number + 1)[:_MESSAGES]
    begin = scripted.ask("one_record", messages=messages)["begin"]
    time.sleep(0.5)
    changes = house.program.ask("changes")
    return float(sum(at - begin <= _WITHIN * 1e9 for seen in changes for at, _ in seen))


def _round(plant: Plant, number: int) -> list[tuple[str, str]]:
    """What all sensors send in a round."""
    bodies = payloads(number, datetime.now(UTC))
    return [
        (where, bodies[index % len(bodies)].decode()) for index, where in enumerate(plant.topics())
    ]
