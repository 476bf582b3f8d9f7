"""What ends a simulated hour before its time."""


class Violation(Exception):
    """A rule was broken. The run ends here."""

    def __init__(self, rule: str, what: str) -> None:
        self.rule = rule
        super().__init__(f"{rule}: {what}")
