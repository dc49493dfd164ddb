"""The price book as the seller writes it: pydantic models that find gaps, overlaps and wrong numbers.

``pricing.book`` makes the PriceBook value of it. Every error names its path; nothing is filled in silently
but for what is named here as a default.
"""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from vmart.kernel.documents import wrong_part
from vmart.kernel.money import exponent

RATE_PLACES = 8
FACTOR_PLACES = 4
_GIB_MAX = 1_000_000
_HOURS = "hours"

Price = Annotated[Decimal, Field(ge=0, max_digits=20, decimal_places=RATE_PLACES, allow_inf_nan=False)]
PositivePrice = Annotated[Decimal, Field(gt=0, max_digits=20, decimal_places=RATE_PLACES, allow_inf_nan=False)]
Factor = Annotated[Decimal, Field(gt=0, max_digits=8, decimal_places=FACTOR_PLACES, allow_inf_nan=False)]
Discount = Annotated[Decimal, Field(gt=0, le=1, decimal_places=FACTOR_PLACES, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_values(cls, value: object) -> object:
        # YAML reads "no" and "on" as truth values, which would pass for the numbers 0 and 1.
        if isinstance(value, bool):
            raise ValueError("a truth value (yes, no, on, off, true, false) is not a price or a number")
        return value


class PriceStep(_Part):
    """Units above ``above`` and up to ``up_to`` (inclusive) cost ``price`` each."""

    above: Price
    up_to: Price | None = None
    price: Price


class AgeTier(_Part):
    """From ``from_h`` hours of age on, before ``to_h``, the hourly price is multiplied by ``factor``."""

    from_h: int = Field(ge=0)
    to_h: int | None = Field(default=None, gt=0)
    factor: Factor


class TypePrice(_Part):
    """CPU and memory of one machine type. ``terms`` and ``tiers`` name tables of the book.

    ``spot``: an hour of a machine that may be taken back; None: none are sold.
    """

    month: Price
    hour: Price
    spot: PositivePrice | None = None
    terms: str | None = None
    tiers: str | None = None


class SizeRange(_Part):
    """Sizes on sale, GiB: ``min`` to ``max`` in steps of ``step``."""

    min: int = Field(gt=0, le=_GIB_MAX)
    max: int = Field(gt=0, le=_GIB_MAX)
    step: int = Field(default=1, gt=0, le=_GIB_MAX)

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        if self.min % self.step or self.max % self.step:
            raise ValueError(f"min and max are multiples of step {self.step}")
        return self

    def holds(self, size_gib: int) -> bool:
        return self.min <= size_gib <= self.max and size_gib % self.step == 0


class DiskPrice(_Part):
    """A disk type: price per GiB, and the sizes sold as system and as data disk."""

    month: Price
    hour: Price
    system_gib: SizeRange
    data_gib: SizeRange


class BandwidthPrice(_Part):
    """Progressive steps over Mbps, a month and an hour."""

    month: tuple[PriceStep, ...]
    hour: tuple[PriceStep, ...]

    @field_validator("month", "hour")
    @classmethod
    def _steps_touch(cls, steps: tuple[PriceStep, ...]) -> tuple[PriceStep, ...]:
        _one_after_the_other([(step.above, step.up_to) for step in steps], "Mbps", ("above", "up_to"))
        return steps


class RegionPrice(_Part):
    """A region: every price times ``factor``, but for those that stand here themselves."""

    factor: Factor = Decimal(1)
    instance_types: dict[str, TypePrice] = {}
    disks: dict[str, DiskPrice] = {}
    bandwidth: BandwidthPrice | None = None
    traffic_gib: Price | None = None
    idle_address: Price | None = None
    snapshot_gib: Price | None = None
    image_gib: Price | None = None
    package_mbps: Price | None = None


class TermDiscounts(_Part):
    """Factor by first month of its bracket; ``covers`` names the components that it applies to."""

    covers: frozenset[Literal["cpu", "disk", "bandwidth"]]
    tables: dict[str, dict[Annotated[int, Field(ge=1, le=60)], Discount]]

    @model_validator(mode="after")
    def _has_default(self) -> Self:
        if "default" not in self.tables:
            raise ValueError("tables: the table default is missing")
        return self


class Sales(_Part):
    """What may be bought at all; policy of the seller, with the effective date of the book."""

    periods_months: tuple[Annotated[int, Field(ge=1, le=60)], ...] = Field(min_length=1)
    machines_max: int = Field(default=100, ge=1, le=100)
    data_disks_max: int = Field(default=20, ge=0, le=20)
    prepaid_mbps_max: int = Field(default=200, ge=1)
    postpaid_mbps_max: int = Field(default=100, ge=1)


class BookDocument(_Part):
    """A whole price book, before its regions are resolved."""

    version: int = Field(ge=1, le=2**31 - 1)
    effective_at: AwareDatetime
    currency: str
    term_discounts: TermDiscounts
    age_tiers: dict[str, tuple[AgeTier, ...]] = {}
    sales: Sales
    instance_types: dict[str, TypePrice] = Field(min_length=1)
    disks: dict[str, DiskPrice] = Field(min_length=1)
    bandwidth: BandwidthPrice
    traffic_gib: Price
    idle_address: Price | None = None  # an hour of a bought public address that no machine has; None: none are sold
    snapshot_gib: Price | None = None  # an hour of a GiB of a snapshot; None: none are sold
    image_gib: Price | None = None  # an hour of a GiB of an imported image; None: they cost nothing
    package_mbps: Price | None = None  # an hour of a Mbps of a bandwidth package; None: none are sold
    regions: dict[str, RegionPrice] = Field(min_length=1)

    @field_validator("effective_at")
    @classmethod
    def _whole_second(cls, instant: dt.datetime) -> dt.datetime:
        if instant.microsecond:
            raise ValueError("whole seconds are expected")
        try:
            return instant.astimezone(dt.UTC)
        except OverflowError:
            raise ValueError("no such instant in UTC") from None

    @field_validator("currency")
    @classmethod
    def _has_a_minor_unit(cls, currency: str) -> str:
        exponent(currency)
        return currency

    @field_validator("age_tiers")
    @classmethod
    def _tiers_touch(cls, tables: dict[str, tuple[AgeTier, ...]]) -> dict[str, tuple[AgeTier, ...]]:
        for name, tiers in tables.items():
            _one_after_the_other([(tier.from_h, tier.to_h) for tier in tiers], _HOURS, ("from_h", "to_h"), name)
        return tables


def _one_after_the_other(
    bounds: Sequence[tuple[Decimal | int, Decimal | int | None]], unit: str, names: tuple[str, str], *above: str
) -> None:
    """Ranges from 0 on that touch and end open. Raises at the row, below ``above``, that has the gap or the overlap."""
    begins, ends = names
    end: Decimal | int | None = 0
    for row, (low, high) in enumerate(bounds):
        if end is None:
            raise wrong_part(
                (*above, row, begins), "overlap: a range begins at {low} {why} after one without end",
                low=str(low), why=unit,
            )  # fmt: skip
        if low > end:
            raise wrong_part(
                (*above, row, begins), "gap: nothing holds between {end} and {low} {why}",
                end=str(end), low=str(low), why=unit,
            )  # fmt: skip
        if low < end:
            raise wrong_part(
                (*above, row, begins), "overlap: two ranges hold between {low} and {end} {why}",
                low=str(low), end=str(end), why=unit,
            )  # fmt: skip
        if high is not None and high <= low:
            raise wrong_part(
                (*above, row, ends), "a range ends at {high} {why}, not after its begin {low}",
                high=str(high), why=unit, low=str(low),
            )  # fmt: skip
        end = high
    if end is not None:
        last = (len(bounds) - 1, ends) if bounds else ()
        raise wrong_part((*above, *last), "gap: nothing holds from {end} {why} on", end=str(end), why=unit)
