import pytest

from firmware_export import facts as model_facts
from firmware_export.common.errors import UserError


def test_class_names_must_fit_the_output(qat_graph):
    model_facts.check_class_names((), qat_graph)
    model_facts.check_class_names([str(n) for n in range(10)], qat_graph)
    with pytest.raises(UserError, match="3 class names for 10 outputs"):
        model_facts.check_class_names(["a", "b", "c"], qat_graph)
    with pytest.raises(UserError, match="'a' is empty or given twice"):
        model_facts.check_class_names(["a"] * 10, qat_graph)
    with pytest.raises(UserError, match=r"^class names: 'a\\udcff' is not UTF-8"):
        model_facts.check_class_names([*"012345678", "a\udcff"], qat_graph)
