"""Phone numbers as pages show them: never broken over two lines."""

from kaizala_console.lib import phone_numbers

_NO_BREAK = "\N{NO-BREAK SPACE}"


def display_unbroken(e164: str) -> str:
    """The whole number, for its owner: `+91 98765 43210`."""
    return phone_numbers.display(e164).replace(" ", _NO_BREAK)


def mask_unbroken(e164: str) -> str:
    """What its owner recognises and nobody else can dial."""
    return phone_numbers.mask(e164).replace(" ", _NO_BREAK)
