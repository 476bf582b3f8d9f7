"""When garbage is looked for: only while a command runs, and only among what came since it was loaded.

What is loaded is much, none of it is garbage, and it stays for as long as the process: to look through it would take a
tenth of a start, and hold up the loop of a bot for 0.1 s at times. So the search is put off from the first line on; it
begins with each command (``end_with`` sees to it), when its modules are there; and a bot that is up sets aside, once
more, what its start has loaded.
"""

import gc


def put_off() -> None:
    """Look for no garbage until ``begin``."""
    gc.disable()


def begin() -> None:
    """Set aside what is there for good, and look for garbage among what comes from now on; again, to set aside more."""
    gc.freeze()
    gc.enable()
