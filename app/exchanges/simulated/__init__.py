from app.exchanges.simulated.adapter import SimulatedExchange
from app.exchanges.simulated.errors import BadDataFile

__all__ = ["BadDataFile", "SimulatedExchange"]
