"""What is known of brokers: ports, paths, limits of plans. Data, every value editable.

Sources and what is unverified: `docs/brokers.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

# Decimal, the smaller reading of what plans say.
_GIGABYTE = 1000**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a broker's plan allows; None without a limit.

    `weight` is how many bytes the plan bills for each that passes through our connection: 2
    where what nodes send to the broker counts besides what the broker sends to us. A plan
    that `stops` serves nobody any more once it is used up.
    """

    bytes_a_month: int | None = None
    connections: int | None = None
    weight: float = 1.0
    stops: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A broker's usual values; sizes in bytes, times in seconds, None without a limit.

    `long_client_ids` False means that MQTT 3.1.1 takes at most 23 characters.
    """

    port: int = 8883
    tls: bool = True
    websocket_port: int | None = None
    websocket_path: str = "/mqtt"
    maximum_packet: int | None = None
    keepalive: int = 60
    long_client_ids: bool = True
    needs_client_certificate: bool = False
    alpn: str | None = None
    plan: Plan = Plan()


PRESETS: Mapping[str, Preset] = {
    "hivemq_cloud": Preset(
        websocket_port=8884,
        maximum_packet=64 * 1024,
        # The free one. That traffic counts both ways is unverified, and the 10 GB too.
        plan=Plan(bytes_a_month=10 * _GIGABYTE, connections=100, weight=2.0),
    ),
    "emqx_cloud": Preset(
        websocket_port=8084,
        maximum_packet=1024 * 1024,
        long_client_ids=False,
        # Serverless: a million session minutes are 23 clients all month. That traffic counts
        # both ways is unverified.
        plan=Plan(bytes_a_month=_GIGABYTE, connections=23, weight=2.0, stops=True),
    ),
    "aws_iot": Preset(
        port=443,
        maximum_packet=128 * 1024,
        needs_client_certificate=True,
        alpn="x-amzn-mqtt-ca",
    ),
    "other": Preset(),
}
