"""Reads and says the count; knows nothing of belfry."""

LARGEST = 2**32 - 1


def following(stored: bytes | None) -> int:
    """The number after the one that is stored; what is no number of 32 bits counts as 0."""
    text = (stored or b"").decode("utf-8", errors="replace")
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else 0
    if number > LARGEST:
        number = 0
    return min(number + 1, LARGEST)


def greeting(nick: str, number: int) -> str:
    return f"hello, {nick}, number {number}"
