from typing import get_args, get_type_hints

from firmware_export import cli
from firmware_export.common.harden import Harden


def test_levels_are_those_of_the_command_line():
    assert get_args(get_type_hints(cli.Arguments)["harden"]) == tuple(Harden)


def test_weights_and_rows_are_checked_from_detect_on():
    assert [harden for harden in Harden if harden.has_data_checks] == [Harden.DETECT, Harden.CORRECT]
