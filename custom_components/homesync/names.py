"""What makes entities and devices unique."""


def unique_id(entry_id: str, *parts: str) -> str:
    """Join what makes an entity or device unique; no part holds a slash but the last."""
    return "/".join((entry_id, *parts))
