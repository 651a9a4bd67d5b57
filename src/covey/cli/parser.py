"""What the commands' options have in common: mistakes become sentences, numbers are whole."""

import argparse
from typing import NoReturn

from ..errors import UserError


class Parser(argparse.ArgumentParser):
    """Options and words in any order; mistakes become sentences."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (`{self.prog} --help` lists the options)")


def whole(text: str, least: int = 1) -> int:
    """A whole number, also as 2e6 or 2_000_000."""
    try:
        number = float(text.replace("_", ""))
    except ValueError:
        number = 0.5
    if number != int(number) or number < least:
        raise argparse.ArgumentTypeError(f"expects a whole number of at least {least}, not '{text}'")
    return int(number)


def from_zero(text: str) -> int:
    return whole(text, 0)
