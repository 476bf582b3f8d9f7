"""Who writes a journal."""

from datetime import datetime

import msgspec


class Holder(msgspec.Struct, frozen=True):
    """Who holds a state folder, or the lease of a journal."""

    pid: int
    since: datetime
    profile: str = ""
    host: str = ""
    """Empty for a folder: it is held on this machine."""

    def __str__(self) -> str:
        host = f" on host {self.host}" if self.host else ""
        profile = f", profile {self.profile}" if self.profile else ""
        return f"the bot{host} with pid {self.pid}{profile}, running since {self.since:%Y-%m-%d %H:%M:%S} UTC"
