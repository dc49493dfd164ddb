"""Every number that is a rule of the shop: its name with its unit, its default, and its bounds. Pure.

What is a fact stays with the code that knows it: limits of the API, an hour's seconds, pauses between two looks.
Prices and what is on sale are the price book's. A default is part of the file's format: it is never changed, and
bounds are only widened, so that what a shop has stored always loads and means the same (ADR 0025).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from vmart.kernel.money import exponent, from_minor, to_minor

TOP_UP_MIN_MINOR, TOP_UP_MAX_MINOR = 100, 10_000_000  # of a currency for which the seller says nothing
_MOST_BY_CARD_MINOR = 99_999_999  # eight digits: no card provider takes more at once

Amount = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]


class Policy(BaseModel):
    """The numbers in force at an instant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Orders and payments.
    quote_minutes: int = Field(default=15, ge=1, le=1440)
    unpaid_order_minutes: int = Field(default=30, ge=1, le=10_080)
    unpaid_orders: int = Field(default=20, ge=1, le=1000)
    open_payments: int = Field(default=10, ge=1, le=1000)
    abandoned_payment_minutes: int = Field(default=30, ge=1, le=10_080)
    top_up_min: Mapping[str, Amount] = {}  # by currency, in its units
    top_up_max: Mapping[str, Amount] = {}
    client_token_days: int = Field(default=30, ge=1, le=365)  # of wall time; the API promises 24 hours
    rooms_unbought: int = Field(default=3, ge=0, le=1000)  # made by taking spot machines back, in an hour
    # Delivery.
    delivery_minutes: int = Field(default=10, ge=1, le=1440)  # of wall time, from when the image is ready
    image_wait_minutes: int = Field(default=30, ge=1, le=1440)  # of wall time, from when the order is paid
    password_keep_days: int = Field(default=7, ge=1, le=365)
    sold_disk_percent: int = Field(default=90, ge=1, le=100)  # of a real pool: images and the engine need room too
    sold_memory_percent: int = Field(default=80, ge=1, le=100)  # of a real host: the shop runs beside the machines
    # Images that customers import.
    image_import_gib: int = Field(default=10, ge=0, le=10_000)  # of the file, and of the system in it; 0: none
    image_import_minutes: int = Field(default=60, ge=1, le=1440)  # of wall time, for the download; twice for all
    image_imports: int = Field(default=2, ge=1, le=100)  # of an account at once
    # Consoles in the browser.
    consoles: int = Field(default=10, ge=1, le=1000)  # of an account, open at once
    console_idle_minutes: int = Field(default=15, ge=1, le=1440)  # of wall time, without a key pressed
    # Terms.
    renew_ahead_years: int = Field(default=10, ge=1, le=50)
    remind_days: tuple[Annotated[int, Field(ge=1, le=60)], ...] = Field(default=(7, 5, 3, 1), max_length=10)
    auto_renew_attempts: int = Field(default=6, ge=2, le=30)  # 00:00 of the expiry's day, the expiry, then the pauses
    auto_renew_pause_hours: int = Field(default=24, ge=1, le=168)
    free_return_days: int = Field(default=5, ge=0, le=365)  # 0: none is free
    # The end.
    bin_postpaid_hours: int = Field(default=2, ge=1, le=8760)
    bin_prepaid_days: int = Field(default=7, ge=1, le=365)  # then until the next 00:00
    arrears_grace_hours: int = Field(default=2, ge=1, le=720)
    arrears_keep_days: int = Field(default=15, ge=1, le=365)
    arrears_idle_address_hours: int = Field(default=24, ge=1, le=8760)  # of arrears, the hours of grace among them
    # Members.
    invitation_days: int = Field(default=7, ge=1, le=90)
    # Statements.
    statement_closes_hour: int = Field(default=19, ge=0, le=23)  # of the 1st of the month after, in the billing zone

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_values(cls, value: object) -> object:
        inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else [value]
        if any(isinstance(one, bool) for one in inner):
            raise ValueError("a truth value (yes, no, on, off, true, false) is no number")
        return value

    @field_validator("remind_days")
    @classmethod
    def _each_once(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(days)) != len(days):
            raise ValueError("a day stands here twice")
        return days

    @field_validator("top_up_min", "top_up_max")
    @classmethod
    def _payable(cls, amounts: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
        for currency, amount in amounts.items():
            places = exponent(currency)
            if amount != amount.quantize(Decimal(1).scaleb(-places)):
                raise ValueError(f"{currency}: {amount} has more than {places} decimals")
            if to_minor(amount, places) > _MOST_BY_CARD_MINOR:
                raise ValueError(f"{currency}: {amount} is above {from_minor(_MOST_BY_CARD_MINOR, places)}")
        return amounts

    @model_validator(mode="after")
    def _bounds_hold_something(self) -> Self:
        for currency in {*self.top_up_min, *self.top_up_max}:
            least, most = (from_minor(bound, exponent(currency)) for bound in self.top_up_minor(currency))
            if least > most:
                raise ValueError(f"top_up_min.{currency}: {least} is above top_up_max, {most}")
        return self

    def top_up_minor(self, currency: str) -> tuple[int, int]:
        """The least and the most that one payment may be, in minor units."""
        places = exponent(currency)
        least, most = self.top_up_min.get(currency), self.top_up_max.get(currency)
        return (
            TOP_UP_MIN_MINOR if least is None else to_minor(least, places),
            TOP_UP_MAX_MINOR if most is None else to_minor(most, places),
        )


DEFAULT = Policy()
BY_CURRENCY = ("top_up_min", "top_up_max")
