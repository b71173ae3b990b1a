# At run time Home Assistant puts its own engine in voluptuous's place.
from probatio import *  # noqa: F403 - every name of it is meant
