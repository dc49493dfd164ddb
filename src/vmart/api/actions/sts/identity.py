"""sts: GetCallerIdentity. Whose key signed the call."""

from typing import TypedDict

from vmart.api.declarations import Shape
from vmart.api.registry import STS, Action, Call


class GetCallerIdentity(Shape):
    """No members."""


class GetCallerIdentityAnswer(TypedDict):
    """Whose key it is."""

    Arn: str
    AccountId: str
    UserId: str
    PrincipalId: str
    Type: str


def get_caller_identity(call: Call, _asked: GetCallerIdentity) -> GetCallerIdentityAnswer:
    """The account, and the user whose key it is: every key is a user's."""
    user = str(call.user_id)
    return {
        "Arn": f"qcs::cam:{call.account_id}:uin/{user}",
        "AccountId": str(call.account_id),
        "UserId": user,
        "PrincipalId": user,
        "Type": "CAMUser",
    }


ACTIONS = (
    Action(
        "GetCallerIdentity", GetCallerIdentity, GetCallerIdentityAnswer, get_caller_identity, "sts", STS, writes=False
    ),
)
