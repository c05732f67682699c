import pytest

from firmware_export.tflite.keras_names import legacy, of_keras_3

UNSAFE = ("Lambda", "StringLookup", "TextVectorization", "deserialize", "get", "get_file")


@pytest.mark.parametrize("names", [legacy, of_keras_3], ids=["legacy", "Keras 3"])
def test_layers_that_compute_are_known_and_others_are_not(names):
    assert {"Functional", "Conv2D", "relu", "GlorotUniform", "L2", "MaxNorm", "__tensor__"} <= names()
    assert names().isdisjoint(UNSAFE)


def test_layers_of_quantization_are_legacy():
    assert {"QuantizeWrapperV2", "TFOpLambda"} <= legacy()
    assert of_keras_3().isdisjoint({"QuantizeWrapperV2", "TFOpLambda"})


def test_operations_and_policies_are_those_of_keras_3():
    assert {"GetItem", "Mean", "DTypePolicy", "__keras_tensor__"} <= of_keras_3()
    assert of_keras_3().isdisjoint({"Function", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
