from app.exchanges.simulated.adapter import SimulatedExchange
from app.exchanges.simulated.errors import BadDataFile
from app.exchanges.simulated.recorded import open_recorded

__all__ = ["BadDataFile", "SimulatedExchange", "open_recorded"]
