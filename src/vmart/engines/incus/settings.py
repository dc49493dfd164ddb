"""What a catalog may say to an Incus; ``driver.IncusEngine`` says what each means."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _no_number(given: object) -> object:
    """1 and 0 are equal to True and False for Python, and are neither for the driver."""
    return str(given) if type(given) is int else given


_Switch = Annotated[Literal["auto", True, False], BeforeValidator(_no_number)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class _Image(_Part):
    alias: str
    server: str | None = None
    protocol: str | None = None


class OfCatalog(_Part):
    socket: str | None = None
    url: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    server_fingerprint: str | None = None
    project: str | None = None
    timeout_s: Annotated[float, Field(ge=0)] | None = None
    deployment: str | None = None
    pool: str | None = None
    image_cache: str | None = None
    images: dict[str, _Image] | None = None
    instance_kind: Literal["auto", "container", "virtual-machine"] | None = None
    host_network: _Switch = "auto"
    lock_dir: str | None = None
