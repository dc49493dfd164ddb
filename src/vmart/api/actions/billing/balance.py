"""billing: DescribeAccountBalance. Amounts in minor units (cents), as documented."""

from typing import NotRequired, TypedDict

from vmart.api.declarations import Empty, Shape
from vmart.api.registry import BILLING, Action, Call
from vmart.listings import balance as listed
from vmart.listings.views import BalanceView


class DescribeAccountBalance(Shape):
    """``TempCredit`` asks for temporary credit too; there is none."""

    temp_credit: bool = False


class DescribeAccountBalanceAnswer(TypedDict):
    """Amounts in minor units; what is asked of temporary credit where TempCredit asked for it."""

    Balance: int
    Uin: int
    RealBalance: float
    CashAccountBalance: float
    IncomeIntoAccountBalance: float
    PresentAccountBalance: float
    FreezeAmount: float
    OweAmount: float
    IsAllowArrears: bool
    IsCreditLimited: bool
    CreditAmount: float
    CreditBalance: float
    RealCreditBalance: float
    TempCredit: NotRequired[float]
    TempAmountInfoList: NotRequired[Empty]


def account_balance(view: BalanceView) -> DescribeAccountBalanceAnswer:
    """Balance = RealBalance = available = cash + gift − owed − holds (billing-rules, section 5)."""
    balance = view.cash_minor + view.gift_minor - view.owed_minor
    available = balance - view.held_minor
    credit = view.credit_limit_minor
    return {
        "Balance": available,
        "Uin": view.account_id,
        "RealBalance": float(available),
        "CashAccountBalance": float(view.cash_minor),
        "IncomeIntoAccountBalance": 0.0,
        "PresentAccountBalance": float(view.gift_minor),
        "FreezeAmount": float(view.held_minor),
        "OweAmount": float(view.owed_minor),
        "IsAllowArrears": credit > 0,
        "IsCreditLimited": credit > 0,
        "CreditAmount": float(credit),
        "CreditBalance": float(balance + credit),
        "RealCreditBalance": float(available + credit),
    }


def describe_account_balance(call: Call, asked: DescribeAccountBalance) -> DescribeAccountBalanceAnswer:
    """The account's money at this moment; temporary credit, if asked for, is none."""
    members = account_balance(listed.balance(call.account_id))
    return {**members, "TempCredit": 0.0, "TempAmountInfoList": []} if asked.temp_credit else members


ACTIONS = (
    Action(
        "DescribeAccountBalance",
        DescribeAccountBalance,
        DescribeAccountBalanceAnswer,
        describe_account_balance,
        "billing",
        BILLING,
        writes=False,
    ),
)
