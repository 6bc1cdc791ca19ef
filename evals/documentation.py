"""Sections of documentation that a measurement writes. Input: a page. Output: the page."""


def markers(command: str) -> tuple[str, str]:
    """The lines between which `command` writes."""
    return f"<!-- {command}: begin -->", f"<!-- {command}: end -->"


def rewritten(text: str, section: str, command: str) -> str:
    """`text` with what stands between the markers replaced; ValueError without markers."""
    begin, end = markers(command)
    head, begun, rest = text.partition(begin)
    _, ended, tail = rest.partition(end)
    if not begun or not ended:
        raise ValueError(f"the page has no lines '{begin}' and '{end}'")
    return f"{head}{begin}\n\n{section}\n\n{end}{tail}"
