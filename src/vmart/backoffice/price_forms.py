"""The form of a price book: prices that stand alone, steps, terms, tiers of age, regions, and from when they hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from vmart.backoffice import book_edit, book_names, book_texts
from vmart.backoffice.book_names import COVERED, COVERS, TERMS_AT, TIERS_AT, Named, Value
from vmart.catalog import shop
from vmart.kernel.errors import Refused
from vmart.pages import wording
from vmart.pages.forms import ActForm, text

_PER = {"month": gettext_lazy("month"), "hour": gettext_lazy("hour"), "spot": gettext_lazy("hour as spot"),
        "terms": gettext_lazy("term discounts"), "tiers": gettext_lazy("tiers of age")}  # fmt: skip
_ALONE = {
    "traffic_gib": gettext_lazy("Traffic, a GiB"),
    "idle_address": gettext_lazy("Public address without a machine, an hour"),
    "snapshot_gib": gettext_lazy("Snapshot, a GiB and hour"),
    "image_gib": gettext_lazy("Imported image, a GiB and hour"),
    "package_mbps": gettext_lazy("Bandwidth package, a Mbps and hour"),
}  # fmt: skip
_COLUMNS = {
    "above": gettext_lazy("Above, Mbps"), "up_to": gettext_lazy("Up to, Mbps"), "price": gettext_lazy("A Mbps"),
    "from_h": gettext_lazy("From hour"), "to_h": gettext_lazy("Before hour"), "factor": gettext_lazy("Factor"),
    "months": gettext_lazy("From months"),
}  # fmt: skip
_COVERED = {"cpu": gettext_lazy("Processors and memory"), "disk": gettext_lazy("Disks"),
            "bandwidth": gettext_lazy("Bandwidth")}  # fmt: skip
_PARTS = {"steps": ("bandwidth.",), "terms": ("term_discounts.", "new_terms"), "tiers": ("age_tiers.", "new_tiers"),
          "regions": ("regions.", "own.")}  # fmt: skip
_SECTION = "price_book."


@dataclass(frozen=True)
class Table:
    """Rows of fields with their heads. ``here`` keeps a table without rows, and says what is wrong with all of it."""

    name: str
    title: str
    heads: list[Any]
    rows: list[tuple[str, list[forms.BoundField]]]
    here: forms.BoundField
    may_go: bool
    may_grow: bool


class Prices(ActForm):
    """A price book as it is typed; ``focus`` is the field to go on with."""

    def __init__(self, section: Mapping[str, Any], wanted: Named, typed: Any = None, *, focus: str = "",
                 **named: Any) -> None:  # fmt: skip
        self.section, self.wanted, self.focus = section, wanted, focus
        held = book_edit.flat(wanted)
        if typed is not None:
            typed = {name: said for name, said in typed.items() if not name.endswith((".terms", ".tiers"))} | held
        super().__init__(typed, initial=held | named.pop("initial", {}), **named)
        for name, value in wanted.items():
            self._put(name, value)
        for code in section["instance_types"]:
            for kind, at in (("terms", TERMS_AT), ("tiers", TIERS_AT)):
                self._put_choice(f"instance_types.{code}.{kind}", at)
        for part in COVERED:
            self.fields[f"{COVERS}.{part}"] = forms.BooleanField(label=_COVERED[part], required=False)
        for kind, label in _NEW.items():
            self.fields[f"new_{kind}"] = text(label, required=False, maxlength=40, spellcheck="false")
        for region in section["regions"]:
            self._put_own(region)
        self.fields["begins"] = forms.CharField(
            label=_("In force from"), required=False,
            help_text=_("In the billing zone. Until then the prices of now hold."),
            widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        )  # fmt: skip
        for hidden in ("based_on", "shown"):
            self.fields[hidden] = forms.CharField(required=False, widget=forms.HiddenInput)
        if focus in self.fields:
            self.fields[focus].widget.attrs["autofocus"] = True

    def _put(self, name: str, value: Value) -> None:
        if name == COVERS or name.endswith((".terms", ".tiers")):
            return
        if isinstance(value, str):
            self.fields[name] = text(_title(name), required=False, maxlength=18, inputmode="decimal")
            return
        self.fields[book_edit.HERE + name] = forms.CharField(required=False, widget=forms.HiddenInput)
        for number, row in enumerate(value):
            for column in row:
                label = f"{_title(name)} {number + 1}: {_COLUMNS[column]}"
                self.fields[f"{name}.{number}.{column}"] = text(
                    label, required=False, maxlength=18, inputmode="decimal"
                )

    def _put_choice(self, name: str, at: str) -> None:
        """Which table a type has: of the shop, and where a region has a price of its own of it, there."""
        tables = [one.removeprefix(at) for one in self.wanted if one.startswith(at) and one != f"{TERMS_AT}default"]
        none = _("Shop-wide") if at == TERMS_AT else _("None")
        regions = [f"regions.{one}." for one in self.section["regions"]]
        kind = name.rpartition(".")[0]
        for place in ("", *(one for one in regions if f"{one}{kind}.month" in self.wanted)):
            value = str(self.wanted.get(place + name, ""))
            choices = [("", none), *((one, one) for one in dict.fromkeys([*tables, *filter(None, [value])]))]
            if len(choices) == 1:
                continue
            self.fields[place + name] = forms.CharField(
                label=_title(place + name), required=False, widget=forms.Select(choices=choices)
            )

    def _put_own(self, region: str) -> None:
        at = f"regions.{region}."
        free = [
            thing for thing in book_names.things(self.section)
            if not any(at + name in self.wanted for name in book_names.fields_of(thing))
        ]  # fmt: skip
        if free:
            self.fields[f"own.{region}"] = forms.CharField(
                label=_("Own price of"), required=False,
                widget=forms.Select(choices=[(thing, _thing(thing)) for thing in free]),
            )  # fmt: skip

    # -- what the page shows ------------------------------------------------------------------------

    def rows(self, at: str = "") -> list[dict[str, Any]]:
        """A row a thing that stands alone, with the fields of its prices: of the shop, or of a region."""
        rows: dict[str, dict[str, Any]] = {}
        for name in book_names.scalars(self.section, at):
            if name not in self.wanted or name.endswith((".terms", ".tiers", ".factor")):
                continue
            thing, per = _split(name.removeprefix(at))
            row = rows.setdefault(thing, {"title": _thing(thing), "fields": [], "name": at + thing, "choices": []})
            row["fields"].append((_PER.get(per, ""), self[name]))
            if per == "month" and thing.startswith("instance_types."):
                names = {kind: f"{at}{thing}.{kind}" for kind in ("terms", "tiers")}
                row["choices"] = [(_PER[kind], self[one]) for kind, one in names.items() if one in self.fields]
        return list(rows.values())

    def steps(self) -> list[Table]:
        return self._tables("bandwidth.")

    def terms(self) -> list[Table]:
        return self._tables(TERMS_AT)

    def tiers(self) -> list[Table]:
        return self._tables(TIERS_AT)

    def covers(self) -> list[forms.BoundField]:
        return [self[f"{COVERS}.{part}"] for part in COVERED]

    def of_types(self, kind: str) -> list[tuple[str, forms.BoundField]]:
        names = {code: f"instance_types.{code}.{kind}" for code in self.section["instance_types"]}
        return [(code, self[name]) for code, name in names.items() if name in self.fields]

    def terms_of_types(self) -> list[tuple[str, forms.BoundField]]:
        return self.of_types("terms")

    def tiers_of_types(self) -> list[tuple[str, forms.BoundField]]:
        return self.of_types("tiers")

    def new_terms(self) -> forms.BoundField:
        return self["new_terms"]

    def new_tiers(self) -> forms.BoundField:
        return self["new_tiers"]

    def regions(self) -> list[dict[str, Any]]:
        own = {code: f"own.{code}" for code in self.section["regions"]}
        known = shop.snapshot().regions
        return [
            {"code": code, "name": known.get(code), "factor": self[f"regions.{code}.factor"],
             "rows": self.rows(f"regions.{code}."), "tables": self._tables(f"regions.{code}.bandwidth."),
             "bandwidth": f"regions.{code}.bandwidth",
             "own": self[field] if field in self.fields else None}
            for code, field in own.items() if f"regions.{code}.factor" in self.fields
        ]  # fmt: skip

    def opened(self) -> dict[str, bool]:
        """Which parts are unfolded: where something is not as the file has it, goes on, or is wrong."""
        held = book_names.named(self.section)
        names = {name for name in held | self.wanted if held.get(name) != self.wanted.get(name)}
        names |= {self.focus.removeprefix(book_edit.HERE), *(name.removeprefix(book_edit.HERE) for name in self.errors)}
        opened = {part: any(name.startswith(at) for name in names) for part, at in _PARTS.items()}
        for kind in ("terms", "tiers"):
            opened[kind] |= any(name.startswith("instance_types.") and name.endswith(f".{kind}") for name in names)
        return opened

    def held(self) -> dict[str, list[tuple[str, str]]]:
        """What the parts that are folded have in them, in a line a table."""
        return {
            part: [(_title(name), book_texts.shown(value).replace("-", "–")) for name, value in self.wanted.items()
                   if isinstance(value, tuple) and name.startswith(at[0])]
            for part, at in _PARTS.items()
        }  # fmt: skip

    def _tables(self, at: str) -> list[Table]:
        return [self._table(name, value) for name, value in self.wanted.items()
                if name.startswith(at) and isinstance(value, tuple)]  # fmt: skip

    def _table(self, name: str, value: book_names.Rows) -> Table:
        columns = book_names.columns(name, self.section["regions"])
        rows = [
            (f"{name}.{number}", [self[f"{name}.{number}.{column}"] for column in columns])
            for number in range(len(value))
        ]
        may_go = name.startswith((TERMS_AT, TIERS_AT)) and name != f"{TERMS_AT}default"
        heads = [_COLUMNS[column] for column in columns]
        return Table(
            name, _title(name), heads, rows, self[book_edit.HERE + name], may_go, len(value) < book_edit.ROWS_MAX
        )

    # -- what is wrong ------------------------------------------------------------------------------

    def refuse(self, refused: Refused) -> None:
        name = self._at_fault((refused.field or "").removeprefix(_SECTION))
        self.add_error(name, wording.sentence(refused))
        if name and not name.startswith(book_edit.HERE):
            self.fields[name].widget.attrs["autofocus"] = True

    def _at_fault(self, path: str) -> str | None:
        """The field of a path of the file, or the nearest around it."""
        table = next((one for one in self.wanted if one.startswith(TERMS_AT) and path.startswith(f"{one}.")), "")
        if table and path not in self.fields:
            return self._of_term(table, path.removeprefix(f"{table}."))
        steps = path.split(".")
        while steps:
            for name in (".".join(steps), book_edit.HERE + ".".join(steps)):
                if name in self.fields:
                    return name
            steps.pop()
        for region in self.section["regions"]:
            at = f"regions.{region}."
            if path.startswith(at) and f"{at}factor" in self.fields:
                of_shop = path.removeprefix(at)
                return of_shop if of_shop.endswith((".terms", ".tiers")) and of_shop in self.fields else f"{at}factor"
        return None

    def _of_term(self, table: str, place: str) -> str:
        """The row of a discount, which the file has by its months."""
        months, _dot, part = place.partition(".")
        rows = self.wanted[table]
        for number, row in enumerate(rows if isinstance(rows, tuple) else ()):
            if row["months"].strip() == months:
                return f"{table}.{number}.{'months' if part == '[key]' else 'factor'}"
        return book_edit.HERE + table


_NEW = {"terms": gettext_lazy("Name of a further table of discounts"),
        "tiers": gettext_lazy("Name of a further table of tiers")}  # fmt: skip


def _split(name: str) -> tuple[str, str]:
    """Thing and what of it: ``instance_types.S5.SMALL1`` and ``month``."""
    thing, dot, per = name.rpartition(".")
    return (thing, per) if dot else (name, "")


def _thing(name: str) -> Any:
    kind, _dot, code = name.partition(".")
    if kind == "disks":
        return f"{wording.disk_type(code)}, GiB"
    return code or (_("Bandwidth, a Mbps") if kind == "bandwidth" else _ALONE[kind])


def _title(name: str) -> str:
    """A field's or a table's name for people."""
    if name.startswith("regions."):
        known = next((code for code in shop.snapshot().regions if name.startswith(f"regions.{code}.")), "")
        inner = name.removeprefix("regions.").removeprefix(f"{known}.") if known else name.rpartition(".")[2]
        return f"{known}: {_('Factor') if inner == 'factor' else _title(inner)}"
    for at, title in ((TERMS_AT, _("Term discounts")), (TIERS_AT, _("Tiers"))):
        if name.startswith(at):
            table = name.removeprefix(at)
            return _("Shop-wide") if name == f"{TERMS_AT}default" else f"{title} {table}"
    if name.startswith("bandwidth."):
        return _("Bandwidth by the month") if name.endswith("month") else _("Bandwidth by the hour")
    thing, per = _split(name)
    return f"{_thing(thing)} {_PER.get(per, '')}".strip()
