"""The card providers of this shop, set up by the environment."""

import os
from collections.abc import Mapping
from functools import lru_cache

from vmart.payments.errors import UnknownProvider
from vmart.payments.providers.contract import CardProvider

# VMART_STRIPE_SECRET_KEY turns Stripe on; the others belong to it. VMART_SANDBOX_CARDS=1: demonstrations only.
_STRIPE = {
    "secret_key": "VMART_STRIPE_SECRET_KEY",
    "publishable_key": "VMART_STRIPE_PUBLISHABLE_KEY",
    "webhook_secret": "VMART_STRIPE_WEBHOOK_SECRET",
    "api_base": "VMART_STRIPE_API_BASE",
}
KNOWN = ("stripe", "sandbox")  # those that a shop may have, set up here or not


def offered() -> list[str]:
    """Names of the providers a customer may choose from, in order."""
    names = ["stripe"] if os.environ.get(_STRIPE["secret_key"]) else []
    return names + (["sandbox"] if os.environ.get("VMART_SANDBOX_CARDS") == "1" else [])


def provider_of(name: str) -> CardProvider:
    """The provider. Raises UnknownProvider for one that is not set up here."""
    if name not in offered():
        raise UnknownProvider("Payment by {name} is not offered here.", field="provider", name=name or "(empty)")
    if name == "sandbox":
        from vmart.payments.providers.sandbox import Sandbox

        return Sandbox()
    return _stripe(
        tuple((word, os.environ[variable]) for word, variable in _STRIPE.items() if os.environ.get(variable))
    )


def step_minor(currency: str) -> int:
    """What an amount is a multiple of, in minor units, that each provider offered here can take."""
    return max((provider_of(name).step_minor(currency) for name in offered()), default=1)


@lru_cache(maxsize=2)
def _stripe(words: tuple[tuple[str, str], ...]) -> CardProvider:
    from vmart.payments.providers.stripe_card import StripeCard  # 0.3 s to import: only where cards are taken

    settings: Mapping[str, str] = dict(words)
    return StripeCard(settings["secret_key"], **{word: text for word, text in settings.items() if word != "secret_key"})
