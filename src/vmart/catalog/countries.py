"""Countries by their two letters of ISO 3166-1, and what they are called in a reader's language.

Both are Babel's (CLDR), less what CLDR has beside the standard. Babel is loaded with the first country that is asked
for: a shop that stands idle does not pay for it.
"""

import functools

# Reserved, or of CLDR's own.
_BESIDE = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"}


@functools.cache
def codes() -> frozenset[str]:
    """All codes of the standard, in capital letters."""
    return frozenset(_territories("en"))


def names(language: str) -> list[tuple[str, str]]:
    """(code, name) of all countries by name; ``language`` as Django says it: ``en``, ``zh-hans``."""
    return sorted(_territories(language).items(), key=lambda country: country[1])


def _territories(language: str) -> dict[str, str]:
    from babel import Locale

    every = Locale.parse(language, sep="-").territories
    return {code: name for code, name in every.items() if len(code) == 2 and code.isalpha() and code not in _BESIDE}
