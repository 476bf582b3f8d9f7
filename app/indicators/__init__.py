from app.indicators.atr import Atr
from app.indicators.bollinger import Bollinger
from app.indicators.donchian import Donchian
from app.indicators.ema import Ema
from app.indicators.rsi import Rsi
from app.indicators.volatility import Volatility

__all__ = ["Atr", "Bollinger", "Donchian", "Ema", "Rsi", "Volatility"]
