"""What the rows share: sizes, sites that several rows use, and versions."""

from collections.abc import Callable
from dataclasses import dataclass, field

from .figures import Row
from .site import House, Site, pair
from .sizes import Sizes

_VERSIONS = ("Python", "Home Assistant", "paho-mqtt")


@dataclass(slots=True)
class Bench:
    """One run of the benchmark."""

    sizes: Sizes
    sites: dict[str, Site] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def small(self) -> Site:
        """Both sides with 700 sensors."""
        return self.sites.get("small") or self.keep("small", pair(self.sizes.small_nodes, relays=1))

    @property
    def large(self) -> Site:
        """Both sides with 7,000 sensors, or those of a row before with fewer."""
        return self.sites.get("large") or self.keep("large", pair(self.sizes.large_nodes))

    def keep(self, name: str, site: Site) -> Site:
        """Keep a site for rows to come."""
        self.sites[name] = site
        self.note_versions(next(iter(site.houses.values())))
        return site

    def note_versions(self, house: House) -> None:
        """Keep what it runs on, for the report."""
        self.versions |= {name: house.about[name] for name in _VERSIONS}

    def close(self) -> None:
        """End what was kept."""
        sites, self.sites = self.sites, {}
        for site in sites.values():
            site.close()


@dataclass(frozen=True, slots=True)
class Step:
    """One measurement: what `--row` calls it, and what makes rows of it."""

    name: str
    measure: Callable[[Bench], list[Row]]
