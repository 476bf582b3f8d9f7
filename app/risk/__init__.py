from app.risk.engine import GROWTH_CHECKS, REDUCING_CHECKS, RiskEngine
from app.risk.market_guards import UNSEEN

__all__ = ["GROWTH_CHECKS", "REDUCING_CHECKS", "UNSEEN", "RiskEngine"]
