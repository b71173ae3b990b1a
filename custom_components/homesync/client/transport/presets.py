"""What is known of brokers: ports, paths, limits of plans. Data, every value editable.

Sources and what is unverified: `docs/brokers.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass


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


PRESETS: Mapping[str, Preset] = {
    "hivemq_cloud": Preset(websocket_port=8884, maximum_packet=64 * 1024),
    "emqx_cloud": Preset(websocket_port=8084, maximum_packet=1024 * 1024, long_client_ids=False),
    "aws_iot": Preset(
        port=443,
        maximum_packet=128 * 1024,
        needs_client_certificate=True,
        alpn="x-amzn-mqtt-ca",
    ),
    "other": Preset(),
}
