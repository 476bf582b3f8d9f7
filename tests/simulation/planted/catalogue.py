"""All planted bugs, by name."""

from tests.simulation.planted import following, sending
from tests.simulation.planted.bug import Bug

PLANTED: dict[str, Bug] = {**sending.BUGS, **following.BUGS}
