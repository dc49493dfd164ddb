"""The machine types of the purchase page: what the chosen zone sells, narrowed and sorted as the visitor asks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from vmart.catalog.models import InstanceType
from vmart.pages import wording

FEW = 20  # from here down the number left is said
ALL = "all"


@dataclass(frozen=True, slots=True)
class TypeOption:
    """A row; ``room`` counts up to FEW, None beyond; ``why`` says why it cannot be had, else "".

    ``hour`` is of CPU and memory at first, ``later`` at the last tier of age, ``month`` with the term's discount; None
    where it is not sold so.
    """

    kind: InstanceType
    hour: Decimal | None
    later: Decimal | None
    month: Decimal | None
    room: int | None
    why: str
    chosen: bool
    recommended: bool

    @property
    def stock(self) -> str:
        """What its row says of its stock."""
        if self.why:
            return self.why
        return _("In stock") if self.room is None else _("{room} left").format(room=self.room)


@dataclass(frozen=True, slots=True)
class Tab:
    """Types of a family, or all."""

    code: str
    title: str
    chosen: bool


_ORDERS: Mapping[str, Callable[[TypeOption], tuple[object, ...]]] = {
    "price": lambda option: (option.month if option.month is not None else option.hour or 0,),
    "vcpu": lambda option: (option.kind.vcpu, option.kind.memory_mib),
    "memory": lambda option: (option.kind.memory_mib, option.kind.vcpu),
}
ORDERS = (
    ("", gettext_lazy("As listed")),
    ("price", gettext_lazy("Price")),
    ("vcpu", "vCPU"),
    ("memory", gettext_lazy("Memory")),
)


class TypeTable:
    """``said`` has the form's ``family``, ``vcpu``, ``memory`` (GiB, both at least) and ``order``.

    What is none of these narrows nothing. By itself the family of the chosen type is shown.
    """

    def __init__(self, options: Sequence[TypeOption], said: Mapping[str, str]) -> None:
        self._options = options
        self._families = {option.kind.family: option.kind for option in options}
        self.chosen = next((option for option in options if option.chosen), None)
        own = self.chosen.kind.family if self.chosen else ALL
        self._family = said["family"] if said["family"] in (*self._families, ALL) else own
        self.vcpu, self.memory = _among(said["vcpu"], self.vcpus), _among(said["memory"], self.memories)
        self.order = said["order"] if said["order"] in _ORDERS else ""

    @property
    def tabs(self) -> list[Tab]:
        """None where there is one family only."""
        if len(self._families) < 2:
            return []
        titled = {code: wording.in_language(kind, "family_name") for code, kind in self._families.items()}
        return [Tab(code, title, code == self._family) for code, title in (titled | {ALL: _("All")}).items()]

    @property
    def processor(self) -> str:
        """Of the family that is shown."""
        kind = self._families.get(self._family)
        return kind.cpu_model if kind else ""

    @property
    def vcpus(self) -> list[int]:
        return sorted({option.kind.vcpu for option in self._options})

    @property
    def memories(self) -> list[int]:
        """In GiB."""
        return sorted({option.kind.memory_mib // 1024 for option in self._options})

    @property
    def orders(self) -> list[tuple[str, str, bool]]:
        """Code, words, and whether it is the chosen one."""
        return [(code, str(title), code == self.order) for code, title in ORDERS]

    @property
    def rows(self) -> list[TypeOption]:
        shown = [option for option in self._options if self._shows(option.kind)]
        return sorted(shown, key=_ORDERS[self.order]) if self.order else shown

    @property
    def hidden(self) -> TypeOption | None:
        """The chosen type, where no row shows it."""
        return self.chosen if self.chosen and not self._shows(self.chosen.kind) else None

    def _shows(self, kind: InstanceType) -> bool:
        large = kind.vcpu >= (self.vcpu or 0) and kind.memory_mib // 1024 >= (self.memory or 0)
        return large and self._family in (kind.family, ALL)


def _among(typed: str, offered: Sequence[int]) -> int | None:
    """The number that is offered, as typed."""
    return next((number for number in offered if str(number) == typed), None)
