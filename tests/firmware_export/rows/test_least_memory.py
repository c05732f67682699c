import row_models
from hypothesis import given, settings
from int8_graphs import models

from firmware_export.rows.arrange import arrange
from firmware_export.rows.check_plan import check
from firmware_export.rows.least_memory import plan_memory
from firmware_export.rows.lower import lower
from firmware_export.rows.plan import plan
from firmware_export.tflite import reader


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(models())
def test_memory_is_never_more_than_that_of_rings_one_after_another(model):
    network = lower(reader.read(model))
    apart = arrange(plan_memory(network, shares=False), shares=False)
    assert arrange(plan_memory(network)).most_bytes <= apart.most_bytes


def _inverted_residuals(builder, x):
    """Blocks of a MobileNet: the wide tensors are in the middle, and the additions have whole small ones."""
    x = builder.convolution(x, 8, (3, 3), (2, 2), "SAME", "RELU")
    for _ in range(3):
        wide = builder.convolution(x, 48, (1, 1), (1, 1), "SAME", "RELU")
        wide = builder.convolution(wide, 48, (5, 5), (1, 1), "SAME", "RELU", multiplier=1)
        x = builder.add(x, builder.convolution(wide, 8, (1, 1), (1, 1), "SAME", "NONE"), "NONE")
    return builder.mean(x)


def test_stages_are_chosen_by_what_they_need_in_fact():
    network = lower(row_models.model(_inverted_residuals, (1, 24, 24, 3)))
    found = plan_memory(network)
    without = plan(network)
    check(found, arrange(found))
    assert arrange(found).most_bytes < 0.7 * arrange(without).most_bytes
