from app.risk.engine import GROWTH_CHECKS, REDUCING_CHECKS, RiskEngine

__all__ = ["GROWTH_CHECKS", "REDUCING_CHECKS", "RiskEngine"]
