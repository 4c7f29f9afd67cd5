"""Decides what to answer."""


def answer(text: str, nick: str) -> str | None:
    """What to answer, if anything."""
    if text.strip() != "/{{name}}":
        return None
    return f"Hello, {nick}!"
