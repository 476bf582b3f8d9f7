from app.control.client import NoAnswer, NobodyListens, ask
from app.control.server import ControlSocket

__all__ = ["ControlSocket", "NoAnswer", "NobodyListens", "ask"]
