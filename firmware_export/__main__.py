"""`python -m firmware_export MODEL --out DIR`: export a model as verified firmware files."""

from typing import NoReturn

from firmware_export import cli
from firmware_export.common.errors import exit_on_user_error


def main() -> NoReturn:
    """The command line."""
    exit_on_user_error(cli.work)


if __name__ == "__main__":
    main()
