from app.exchanges.matching.engine import MatchingEngine
from app.exchanges.matching.resting import PriceRange
from app.exchanges.matching.rules import MatchingRules, rules_from
from app.exchanges.matching.state import VenueState

__all__ = ["MatchingEngine", "MatchingRules", "PriceRange", "VenueState", "rules_from"]
