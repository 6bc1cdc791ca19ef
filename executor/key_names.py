"""Names that say that a column is a key. Input: a name. Output: whether it sounds like one."""

import re

_KEY_NAME = re.compile(
    r"(^|[_\s.-])(id|ids|key|code|uuid|guid|no|nr|number|group|user|customer|client|patient|"
    r"subject|person|household|account|session|device|store|shop|station|site|machine|engine)"
    r"([_\s.-]|$)",
    re.IGNORECASE,
)
_CAMEL_KEY = re.compile(r"[a-z](Id|ID|Key|Code|No)$")


def sounds_like_key(name: str) -> bool:
    """``customer_id``, ``patient``, ``shopCode``; not ``identity`` or ``notes``."""
    return bool(_KEY_NAME.search(name) or _CAMEL_KEY.search(name))
