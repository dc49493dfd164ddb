"""YAML that is read with its comments and written as it was. Loaded with the first change of a catalog, not with the
shop: few processes ever change one, and the library takes 1.5 MiB of each.
"""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

__all__ = ["CommentedMap", "YAMLError", "in_style_of", "writer", "written"]


class _Exact(RoundTripRepresenter):
    """Decimals as they are, without a float between."""


def _decimal(representer: RoundTripRepresenter, value: Decimal) -> ScalarNode:
    text = format(value, "f")
    return representer.represent_scalar(f"tag:yaml.org,2002:{'float' if '.' in text else 'int'}", text)


def _instant(representer: RoundTripRepresenter, value: dt.datetime) -> ScalarNode:
    text = value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return representer.represent_scalar("tag:yaml.org,2002:timestamp", text)


_Exact.add_representer(Decimal, _decimal)
_Exact.add_representer(dt.datetime, _instant)


def writer() -> YAML:
    yaml = YAML()
    yaml.Representer = _Exact
    yaml.preserve_quotes = True
    yaml.width = 1_000_000  # no line is folded that was not
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def in_style_of(value: Any, other: Any) -> Any:
    """``value`` on one line where ``other`` is."""
    if isinstance(value, CommentedMap) and isinstance(other, CommentedMap) and other.fa.flow_style():
        value.fa.set_flow_style()
    return value


def written(value: Any) -> Any:
    """Mappings and lists as the writer takes them; a text of several lines as one.

    In quotes is what YAML 1.1, by which catalogs are read, would take for something else: NO, on, 12:30.
    """
    if isinstance(value, Mapping):
        return CommentedMap({name: written(inner) for name, inner in value.items()})
    if isinstance(value, list | tuple):
        return [written(inner) for inner in value]
    if isinstance(value, str) and "\n" in value:
        return LiteralScalarString(value)
    if isinstance(value, str) and any(
        form.match(value) for _tag, form in yaml.SafeLoader.yaml_implicit_resolvers.get(value[:1], ())
    ):
        return DoubleQuotedScalarString(value)
    return value
