from app.exchanges.paper.adapter import PaperExchange

__all__ = ["PaperExchange"]
