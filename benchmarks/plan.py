"""What is measured, and in which order: what shares programs stands together."""

from .bench import Step
from .rows import burst, command, counting, growth, lag, records, restart, retained, setup, steady

GROUPS: tuple[tuple[Step, ...], ...] = (
    (
        Step("burst-700", burst.small),
        Step("steady", steady.steady),
        Step("lag", lag.lag),
        Step("command", command.command),
        Step("statistics", counting.counting),
    ),
    (Step("setup", setup.set_up), Step("burst-7000", burst.large)),
    (Step("records", records.records),),
    (Step("retained", retained.retained),),
    (Step("growth", growth.growth),),
    (Step("restart", restart.restart),),
)
NAMES = tuple(step.name for group in GROUPS for step in group)
