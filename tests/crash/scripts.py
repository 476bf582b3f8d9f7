"""The sequences in which a crash is tried between every two steps. Times in virtual seconds."""

ENTER, LEAVE, BESIDE = "100", "105", "101"

ENTERED = ((1.5, "price", (ENTER,)),)
HALF = (*ENTERED, (4.0, "dip", ("99.4", "0.4")))
FULL = (*HALF, (6.0, "dip", ("99.4", "0.6")))
AGAIN = (20.0, "dip", ("99.4",))
"""Fills what a restart has sent late."""
END = (24.0, "wait", ())

SCRIPTS = {
    "entry filled in two parts": (*FULL, AGAIN, END),
    "working entry canceled": (*ENTERED, (4.0, "price", (LEAVE,)), (7.0, "price", (BESIDE,)), END),
    "part of an entry canceled, the rest left": (*HALF, (6.0, "price", (LEAVE,)), END),
    "stop-loss filled": (*FULL, (8.0, "price", ("89",)), (11.0, "price", ("95",)), END),
    "take-profit filled": (*FULL, (8.0, "price", ("121",)), (11.0, "price", (BESIDE,)), END),
    "halted with working orders": (*HALF, (5.5, "ask", ("halt",)), END),
    "halted with nothing working": (*FULL, (8.0, "ask", ("halt",)), END),
    "flattened": (*FULL, (8.0, "price", (BESIDE,)), (9.0, "ask", ("flatten",)), END),
    "stopped, cancel": (*HALF, (5.5, "stop", ()), (9.0, "start", ()), AGAIN, END),
    "stopped, keep": (*HALF, (5.5, "stop", ()), (9.0, "start", ("execution.stop_policy=keep",)), AGAIN, END),
    "stopped, flatten": (
        *HALF,
        (5.5, "stop", ()),
        (9.0, "start", ("execution.stop_policy=flatten",)),
        AGAIN,
        END,
    ),
    "restarted with another leverage": (*HALF, (5.5, "stop", ()), (8.0, "start", ("account.leverage=4",)), AGAIN, END),
    "restarted with another parameter": (
        *HALF,
        (5.5, "stop", ()),
        (8.0, "start", ("strategies.scripted.params.stop=92",)),
        AGAIN,
        END,
    ),
    "restarted with another stop policy": (
        *FULL,
        (8.0, "stop", ()),
        (11.0, "start", ("execution.stop_policy=keep",)),
        (14.0, "stop", ()),
        (17.0, "start", ("execution.stop_policy=flatten",)),
        AGAIN,
        END,
    ),
}

FIRST_SETTINGS = {
    "stopped, keep": ("execution.stop_policy=keep",),
    "stopped, flatten": ("execution.stop_policy=flatten",),
}
