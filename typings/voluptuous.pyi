# At run time Home Assistant puts its own engine in voluptuous's place.
from probatio import *
