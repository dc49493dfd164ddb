"""What a catalog may say to a simulated engine; ``engine.SimulatedEngine`` says what each means."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Seconds = Annotated[float, Field(ge=0)]
_Share = Annotated[float, Field(ge=0, le=1)]


class OfCatalog(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    file: str | None = None
    latency_s: float | dict[str, float] | None = None
    failure_rate: _Share | None = None
    lost_answer_rate: _Share | None = None
    seed: int | float | str | None = None
    image_ready_s: _Seconds | None = None
    images: list[str] | None = None
    traffic_bytes_per_s: Annotated[int, Field(ge=0)] | None = None
