"""Given money given, set aside and spent, when a program asks, then the balance is that of the ledger, in cents."""

import pytest

from tests.api.customer import open_customer
from tests.api.test_cvm_purchase import HOURLY, MONTHLY
from vmart.customers.models import Account

pytestmark = pytest.mark.usefixtures("shop")
BILLING = "2018-07-09"


def test_the_balance_follows_the_purchases() -> None:
    """300,000 given; a year of S5.SMALL1 with 3 Mbps holds 136,260; two machines by the hour hold 38 each."""
    client, account_id = open_customer(credit_minor=300_000)
    before = client.call("DescribeAccountBalance", version=BILLING).response
    assert (before["Balance"], before["RealBalance"], before["FreezeAmount"]) == (300_000, 300_000.0, 0.0)
    assert client.call("RunInstances", MONTHLY).response["InstanceIdSet"]
    assert client.call("RunInstances", {**HOURLY, "InstanceCount": 2}).response["InstanceIdSet"]
    told = client.call("DescribeAccountBalance", version=BILLING).response
    del told["RequestId"]
    assert told == {
        "Balance": 163_664, "Uin": account_id, "RealBalance": 163_664.0, "CashAccountBalance": 0.0,
        "IncomeIntoAccountBalance": 0.0, "PresentAccountBalance": 300_000.0, "FreezeAmount": 136_336.0,
        "OweAmount": 0.0, "IsAllowArrears": False, "IsCreditLimited": False, "CreditAmount": 0.0,
        "CreditBalance": 300_000.0, "RealCreditBalance": 163_664.0,
    }  # fmt: skip


def test_an_account_with_credit() -> None:
    client, account_id = open_customer(credit_minor=0)
    Account.objects.filter(id=account_id).update(credit_limit_minor=50_000)
    told = client.call("DescribeAccountBalance", {"TempCredit": True}, version=BILLING).response
    assert (told["Balance"], told["CreditAmount"], told["RealCreditBalance"]) == (0, 50_000.0, 50_000.0)
    assert (told["TempCredit"], told["TempAmountInfoList"]) == (0.0, [])
