"""`python -m keras_satkd.ask`: compute the teachers' logits for one shard of the training images.

python -m keras_satkd.ask --data EuroSAT_RGB.zip --distillation.logits-store store --shard 3/64
"""

import sys
from dataclasses import dataclass
from typing import NoReturn

import tyro

from firmware_export.common.command_line import show_log
from firmware_export.common.errors import exit_on_user_error
from firmware_export.common.usage_errors import one_line_usage_errors
from keras_satkd.cli import parse, quiet_imports

DESCRIPTION = (
    "Compute the teachers' logits for one shard of the training images: --shard K/N, such as 3/64 (1/1 if it is left "
    "out). Any number of processes and machines may do this at once over a shared folder, "
    "--distillation.logits-store. A shard that is there is not computed again. Give the other settings as to "
    "keras_satkd.distill, which then reads the folder."
)


@dataclass(frozen=True)
class _Part:
    shard: str = "1/1"


def main() -> NoReturn:
    """The command line."""

    def work() -> None:
        with one_line_usage_errors():
            part, others = tyro.cli(_Part, args=sys.argv[1:], return_unknown_args=True, add_help=False)
        config, _, level = parse("keras_satkd.ask", DESCRIPTION, others)
        show_log(level)
        with quiet_imports():
            from keras_satkd.pipeline.ask import ask
            from keras_satkd.training.logits_store import parse_shard
        for path, is_new in ask(config, *parse_shard(part.shard)):
            print(f"{path}: {'computed' if is_new else 'is there already'}")

    exit_on_user_error(work, is_resumable=True)


if __name__ == "__main__":
    main()
