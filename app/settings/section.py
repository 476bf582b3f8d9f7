"""What a section of the settings is, and the kinds of values that several have."""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.domain.times import parse_iso

Positive = Annotated[Decimal, Field(gt=0)]
NotNegative = Annotated[Decimal, Field(ge=0)]
Ratio = Annotated[Decimal, Field(gt=0, le=1)]


def _is_time(text: str) -> str:
    try:
        parse_iso(text)
    except ValueError:
        raise ValueError("it is no ISO 8601 time, as 2022-01-05 or 2022-01-05T12:00:00Z are") from None
    return text


IsoTime = Annotated[str, AfterValidator(_is_time)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
SYMBOL_PATTERN = r"^[A-Z0-9]+/[A-Z0-9]+:[A-Z0-9]+$"


def _is_symbol(text: str) -> str:
    if not re.match(SYMBOL_PATTERN, text):
        raise ValueError("a symbol is written base/quote:settle, as in BTC/USDT:USDT")
    return text


Symbol = Annotated[str, AfterValidator(_is_symbol), Field(json_schema_extra={"pattern": SYMBOL_PATTERN})]
"""Base/quote:settle, as in BTC/USDT:USDT."""


class Section(BaseModel):
    """A section: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
