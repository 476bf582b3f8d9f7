"""What the lifecycle refuses, and how it fails.

LifecycleError
├── NotStarted            asked for something that exists only while the bot is up
├── NotProvided           a field of the context that nobody has written yet
├── FieldRefused          a field that does not exist, is owned by another, or would be mutable
├── DeadlineExceeded      a step took longer than it may
├── StepCancelled         a step was cancelled, and not by who ran it
├── StartFailed           a unit did not come up; everything that had is down again
├── DependencyCycle       units that need each other
├── UndefinedDependency   a provider that nobody gave a value
├── OverrideRefused       an override that would apply to half of a running bot
└── IllegalPhase          start or stop at a moment at which it means nothing
"""

from collections.abc import Sequence


class LifecycleError(Exception):
    """The lifecycle's promise was not, or could not be, kept."""


class NotStarted(LifecycleError):
    """Asked for something that exists only while the bot is up."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what} exists only while the bot is up: start it first")


class NotProvided(LifecycleError):
    """A field of the context that nobody has written yet."""

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(f"nobody has provided {field!r} yet: the coordinator that owns it starts later")


class FieldRefused(LifecycleError):
    """A field of the context that may not be written so."""

    def __init__(self, writer: str, field: str, why: str) -> None:
        self.writer = writer
        self.field = field
        super().__init__(f"{writer} cannot write {field!r} into the context: {why}")


class DeadlineExceeded(LifecycleError):
    """A step took longer than it may."""

    def __init__(self, what: str, seconds: float, *, abandoned: bool) -> None:
        self.what = what
        self.seconds = seconds
        self.abandoned = abandoned
        end = "ignored its cancellation and was abandoned" if abandoned else "was cancelled"
        super().__init__(f"{what} did not end within {seconds:g} s and {end}")


class StepCancelled(LifecycleError):
    """A step was cancelled, and not by who ran it: something that it waited for was."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what} was cancelled from inside")


class StartFailed(LifecycleError):
    """A unit did not come up. Everything that had come up is down again, but for what ``leftovers`` says.

    What is wrong comes first: whoever reads it may not know what a unit is.
    """

    def __init__(self, unit: str, phase: str, cause: BaseException, leftovers: Sequence[BaseException] = ()) -> None:
        self.unit = unit
        self.phase = phase
        self.cause = cause
        self.leftovers = tuple(leftovers)
        text = f"{_said(cause)} ({unit} failed in {phase})"
        if leftovers:
            text += f"; while undoing the start: {'; '.join(str(error) for error in leftovers)}"
        super().__init__(text)


def _said(cause: BaseException) -> str:
    """Return what an error says; with its type where that says more, and with what to do about a deadline."""
    if isinstance(cause, DeadlineExceeded):
        return f"{cause}: raise lifecycle.start_unit_s or lifecycle.start_total_s if it was on its way"
    named = type(cause).__module__ == "builtins"
    return ": ".join(filter(None, [type(cause).__name__ if named or not str(cause) else "", str(cause)]))


class DependencyCycle(LifecycleError):
    """Units that need each other."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        super().__init__(f"dependency cycle: {' -> '.join(names)}")


class UndefinedDependency(LifecycleError):
    """A provider that nobody gave a value."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"dependency {name!r} is not defined: give it to the container, or override its provider")


class OverrideRefused(LifecycleError):
    """An override that would apply to half of a running bot, or that bypasses the lifecycle."""


class IllegalPhase(LifecycleError):
    """Start or stop at a moment at which it means nothing."""
