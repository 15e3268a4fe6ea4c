"""Which account a request belongs to: the access key says it."""

import re

DEFAULT_ACCOUNT = "123456789012"
ENDS_IN_ACCOUNT = re.compile(r"[A-Za-z0-9]*?(\d{12})$")


def account_of(access_key: str, header: str | None = None) -> str:
    """A header set by hand, a key that STS gave out for a role, a key that ends in the account's 12 digits."""
    if header:
        return header
    if not access_key:
        return DEFAULT_ACCOUNT
    from moto.iam.models import get_account_id_from, iam_backends

    if iam_backends:
        known = get_account_id_from(access_key)
        if known != DEFAULT_ACCOUNT:
            return known
        if is_known(access_key):
            return DEFAULT_ACCOUNT
    match = ENDS_IN_ACCOUNT.match(access_key)
    return match.group(1) if match else DEFAULT_ACCOUNT


def is_known(access_key: str) -> bool:
    from moto.iam.models import iam_backends

    account = iam_backends.get(DEFAULT_ACCOUNT)
    return bool(account) and any(access_key in partition.access_keys for partition in list(account.values()))
