"""What an optional dependency that is missing is answered with, before anything needs it."""

from importlib.util import find_spec

from app.settings import ExtraMissing


def require(what: str, package: str, *modules: str, extra: str = "research") -> None:
    """Refuse to begin without the packages of an extra.

    Args:
        what: What is wanted, for people.
        package: The one to name.
        modules: All that must be there: what a package needs itself may be what is missed first.
        extra: What to install.

    Raises:
        ExtraMissing: One of them is not installed.
    """
    if any(find_spec(module) is None for module in modules):
        raise ExtraMissing(what, package, extra)


def require_cluster() -> None:
    """Refuse to ask a cluster without what speaks to it.

    Raises:
        ExtraMissing: It is not installed.
    """
    require("--scheduler", "distributed", "distributed", extra="cluster")


def require_compiled() -> None:
    """Refuse to import the compiled path without what it is compiled by.

    Raises:
        ExtraMissing: It is not installed.
    """
    require("the compiled engine", "numba", "numpy", "numba")
