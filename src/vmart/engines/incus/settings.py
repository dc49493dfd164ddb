"""What a catalog may say to an Incus; ``driver.IncusEngine`` says what each means."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


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
    host_network: Literal["auto", True, False] | None = None
    lock_dir: str | None = None
