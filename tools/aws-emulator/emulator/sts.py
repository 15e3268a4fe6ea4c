"""STS: GetCallerIdentity answers the account of the key. Everything else (AssumeRole…) is moto's."""

from uuid import uuid4

from .registry import Call, operation


@operation("sts", "GetCallerIdentity")
def get_caller_identity(call: Call) -> dict[str, str]:
    user_id, arn = f"AIDA{call.account}0000", f"arn:aws:iam::{call.account}:user/emulator"
    role = assumed(call)
    if role:
        user_id, arn = role
    return {"xml": (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>{arn}</Arn><UserId>{user_id}</UserId><Account>{call.account}</Account></GetCallerIdentityResult>"
        f"<ResponseMetadata><RequestId>{uuid4()}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )}


def assumed(call: Call) -> tuple[str, str] | None:
    """The role's name, if the key came from AssumeRole."""
    from moto.sts.models import sts_backends

    for partition in ("aws", "aws-cn", "aws-us-gov"):
        backend = sts_backends[call.account][partition]
        role = backend.get_assumed_role_from_access_key(call.access_key)
        if role:
            return role.user_id, role.arn
    return None


