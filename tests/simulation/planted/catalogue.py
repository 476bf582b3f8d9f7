"""All planted bugs, by name."""

from tests.simulation.planted import books, following, living, sending, trailing
from tests.simulation.planted.bug import Bug

PLANTED: dict[str, Bug] = {**sending.BUGS, **following.BUGS, **books.BUGS, **living.BUGS, **trailing.BUGS}
