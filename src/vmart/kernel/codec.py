"""One way from a frozen dataclass to plain JSON values and back: a field takes part by being there.

Decimals are text, bytes hexadecimal, instants ISO 8601. A field that was added later is read as its default.
"""

from collections.abc import Set
from typing import Any, Generic, TypeVar

from pydantic import ConfigDict, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import to_json

T = TypeVar("T")
SECRET = FieldInfo(exclude=True)  # ``Annotated[str, SECRET]``: never part of the plain values
_CONFIG = ConfigDict(extra="forbid", ser_json_bytes="hex", val_json_bytes="hex")


class Codec(Generic[T]):
    """The codec of one class and of what its fields are made of."""

    def __init__(self, kind: type[T]) -> None:
        # Of a tuple of one: the configuration of an adapter does not reach a dataclass that stands alone.
        self._adapter: TypeAdapter[tuple[T]] = TypeAdapter(tuple[kind], config=_CONFIG)  # type: ignore[arg-type, valid-type]

    def plain(self, value: T, *, without: Set[str] = frozenset(), defaults: bool = True) -> dict[str, Any]:
        """Plain JSON values, without these fields and without secrets.

        Without ``defaults`` a field that is added later, and left as it is, changes nothing.
        """
        (plain,) = self._adapter.dump_python(
            (value,), mode="json", exclude={0: set(without)}, exclude_defaults=not defaults
        )
        return plain  # type: ignore[no-any-return]

    def of(self, plain: object) -> T:
        """The value out of ``plain``. Raises ValueError where it is none."""
        (value,) = self._adapter.validate_json(to_json([plain]))
        return value
