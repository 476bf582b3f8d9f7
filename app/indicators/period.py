"""How many bars or prices an indicator looks back over."""


def check_period(period: int, name: str = "period") -> None:
    """Refuse a length that nothing can be averaged over.

    Raises:
        ValueError: It is below one.
    """
    if period < 1:
        raise ValueError(f"{name} is {period}: it must be at least 1")
