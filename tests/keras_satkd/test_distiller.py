import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from scipy.special import log_softmax, softmax

from firmware_export.common.errors import UserError
from keras_satkd.config import WeightingConfig
from keras_satkd.data import augment
from keras_satkd.distiller import Distiller
from keras_satkd.method.observers import TeacherView
from keras_satkd.models import students

CLASSES = 3


@pytest.fixture
def student():
    tf_keras.utils.set_random_seed(5)
    return students.build("resnet8", 16, CLASSES)


@pytest.fixture
def dataset(image_set):
    images = image_set(24)
    return tf.data.Dataset.from_tensor_slices((images.images, images.labels)).batch(12)


def compiled(student, *teachers, optimizer="adam", **settings) -> Distiller:
    distiller = Distiller(student, teachers, **settings)
    distiller.compile(optimizer=optimizer)
    return distiller


def test_fit_learns_and_reports_every_part(student, dataset, teacher):
    distiller = compiled(student, teacher("one", 1), teacher("two", 2), weighting=WeightingConfig(rule="paper-sample"))
    history = distiller.fit(dataset, epochs=4, verbose=0).history
    assert history["ground_truth_loss"][-1] < history["ground_truth_loss"][0]
    assert {"loss", "accuracy", "distillation_loss", "weight_one", "weight_two"} < set(history)
    assert sum(history[name][0] for name in history if name.startswith("case_")) == pytest.approx(1.0)


def test_evaluate_matches_numpy(student, image_set, teacher):
    images, teachers = image_set(8), (teacher("one", 1), teacher("two", 2))
    weighting = WeightingConfig(rule="static", static_weights=(3.0, 1.0), distillation_share=0.4)
    distiller = compiled(student, *teachers, temperature=3.0, weighting=weighting)
    teacher_logits = np.stack([each.logits(images.images) for each in teachers], axis=1)
    inputs = {"image": images.images, "teacher_logits": teacher_logits}
    results = distiller.evaluate(inputs, images.labels, verbose=0, return_dict=True)

    logits = student(images.images / np.float32(255)).numpy()
    truth = -log_softmax(logits, axis=1)[np.arange(8), images.labels]
    probabilities = softmax(teacher_logits / 3, axis=2)
    gap = log_softmax(teacher_logits / 3, axis=2) - log_softmax(logits / 3, axis=1)[:, None]
    distillation = 9 * ((probabilities * gap).sum(axis=2) * [0.75, 0.25]).sum(axis=1)
    assert results["loss"] == pytest.approx((0.6 * truth + 0.4 * distillation).mean(), rel=1e-4)
    assert results["accuracy"] == pytest.approx((logits.argmax(axis=1) == images.labels).mean())


def test_precomputed_logits_train_like_teachers_in_the_loop(image_set, teacher):
    images, both = image_set(12), (teacher("one", 1), teacher("two", 2))
    logits = np.stack([each.logits(images.images) for each in both], axis=1)
    trained = []
    for in_loop in (True, False):
        tf_keras.utils.set_random_seed(3)
        student = students.build("resnet8", 16, CLASSES)
        names = [each.name for each in both]
        distiller = Distiller(student, both) if in_loop else Distiller(student, teacher_names=names)
        distiller.compile(optimizer=tf_keras.optimizers.SGD(0.1))
        inputs = {"image": images.images} if in_loop else {"image": images.images, "teacher_logits": logits}
        distiller.fit(inputs, images.labels, batch_size=12, epochs=2, verbose=0, shuffle=False)
        trained.append(student.get_weights())
    for one, other in zip(*trained, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_teachers_in_the_loop_see_their_own_images_and_mixed_labels_count_by_their_largest_part(image_set, teacher):
    images, one = image_set(12), teacher("one", 1)
    mixed = (0.7 * np.eye(CLASSES)[images.labels] + 0.3 * np.eye(CLASSES)[[0] * 12]).astype(np.float32)
    dark = images.images // 2
    found = []
    for teacher_logits in ({}, {"teacher_logits": one.logits(images.images)[:, None]}):
        tf_keras.utils.set_random_seed(3)
        student = students.build("resnet8", 16, CLASSES)
        distiller = compiled(student, one, optimizer="sgd")
        inputs = {"image": dark, **(teacher_logits or {"teacher_image": images.images})}
        expected = np.mean(student(dark / np.float32(255), training=True).numpy().argmax(axis=1) == images.labels)
        found.append(distiller.train_on_batch(inputs, mixed, return_dict=True))
        assert found[-1]["accuracy"] == pytest.approx(expected)
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_teachers_neither_train_nor_count_nor_are_saved(student, dataset, teacher, tmp_path):
    one = teacher("one", 1)
    before = one.network.get_weights()
    distiller = compiled(student, one)
    distiller.fit(dataset, epochs=1, verbose=0)
    for old, new in zip(before, one.network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert len(distiller.trainable_weights) == len(student.trainable_weights)


def test_noise_reaches_the_student_in_training_alone(student, image_set, teacher):
    images = image_set(4).images
    noisy = compiled(student, teacher("one", 1), sensor_noise=0.5)
    np.testing.assert_array_equal(noisy(images), compiled(student)(images))
    assert np.abs(noisy(images, training=True) - noisy(images)).max() > 0
    assert np.abs(noisy(images, training=True) - noisy(images, training=True)).max() == 0
    first = augment.sensor_noise(images, 0.5, noisy._steps_done())
    noisy.optimizer.iterations.assign_add(1)
    assert np.abs(augment.sensor_noise(images, 0.5, noisy._steps_done()) - first).max() > 0
    seen = []
    shown = TeacherView(tf.zeros((4, 1, CLASSES)))
    noisy._teaching._run_teachers = lambda batch, labels: seen.append(batch.numpy()) or shown
    noisy.run_eagerly = True
    noisy.train_on_batch(images, np.zeros(4, np.int32))
    np.testing.assert_array_equal(seen[0], images)


def test_average_of_the_weights(student, dataset):
    distiller = compiled(student, average=0.5)
    expected = np.array(student.get_weights()[-1])
    seen = []
    callback = tf_keras.callbacks.LambdaCallback(
        on_batch_end=lambda batch, logs: seen.append(student.get_weights()[-1])
    )
    distiller.fit(dataset, epochs=3, verbose=0, callbacks=[callback])
    for step, weights in enumerate(seen):
        # From a tenth at the first step on, until it is that of the setting.
        momentum = min(0.5, (1 + step) / (10 + step))
        expected = momentum * expected + (1 - momentum) * weights
    last = student.get_weights()
    distiller.exchange_average()
    np.testing.assert_allclose(student.get_weights()[-1], expected, rtol=1e-4, atol=1e-6)
    distiller.exchange_average()
    for before, after in zip(last, student.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_average_is_in_checkpoints_and_is_not_trained(student, dataset, tmp_path):
    distiller = compiled(student, average=0.9)
    distiller.fit(dataset, epochs=1, verbose=0)
    path = tf.train.Checkpoint(model=distiller).save(tmp_path / "checkpoint")
    distiller.exchange_average()
    averaged = student.get_weights()
    other = compiled(students.build("resnet8", 16, CLASSES), average=0.9)
    tf.train.Checkpoint(model=other).restore(path).expect_partial()
    other.exchange_average()
    for one, same in zip(averaged, other.student.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)
    assert len(distiller.trainable_weights) == len(student.trainable_weights)


def test_one_hot_and_integer_labels_are_the_same(student, image_set, teacher):
    images = image_set(6)
    distiller = compiled(student, teacher())
    integer = distiller.evaluate(images.images, images.labels, verbose=0)
    one_hot = distiller.evaluate(images.images, np.eye(CLASSES)[images.labels], verbose=0)
    np.testing.assert_allclose(integer, one_hot)


def test_sample_weight_of_zero_leaves_an_image_out(student, image_set):
    images = image_set(6)
    distiller = compiled(student)
    weighted = distiller.evaluate(images.images, images.labels, sample_weight=np.array([1.0, 1, 1, 0, 0, 0]), verbose=0)
    alone = distiller.evaluate(images.images[:3], images.labels[:3], verbose=0)
    np.testing.assert_allclose(weighted, alone, rtol=1e-5)


def test_metrics_and_callbacks_given_by_the_user(student, dataset):
    distiller = Distiller(student)
    distiller.compile(optimizer="adam", metrics=[tf_keras.metrics.TopKCategoricalAccuracy(k=CLASSES, name="top")])
    seen = []
    callback = tf_keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs["top"]))
    distiller.fit(dataset, epochs=2, verbose=0, callbacks=[callback])
    assert seen == [1.0, 1.0]


def test_saved_and_loaded_it_says_the_same(student, dataset, teacher, image_set, tmp_path):
    weighting = WeightingConfig(rule="static", static_weights=(2.0,))
    distiller = compiled(student, teacher("one"), weighting=weighting, temperature=2.0)
    distiller.fit(dataset, epochs=1, verbose=0)
    distiller.save(tmp_path / "distiller.keras")
    loaded = tf_keras.models.load_model(tmp_path / "distiller.keras", compile=False)
    images = image_set(4).images
    np.testing.assert_allclose(loaded(images), distiller(images), atol=1e-5)
    assert (loaded.weighting, loaded.temperature, loaded.teacher_names) == (weighting, 2.0, ("one",))


def test_two_replicas_take_the_step_that_one_takes(image_set, teacher):
    """Under `tf.distribute` each replica sees half the batch, and the step is that of the whole."""
    images = image_set(8)
    dataset = tf.data.Dataset.from_tensor_slices((images.images, images.labels)).batch(8)
    cpus = ["/cpu:0", "/cpu:1"] if len(tf.config.list_logical_devices("CPU")) > 1 else ["/cpu:0"]
    trained = []
    for devices in (["/cpu:0"], cpus):
        with tf.distribute.MirroredStrategy(devices, tf.distribute.HierarchicalCopyAllReduce()).scope():
            tf_keras.utils.set_random_seed(3)
            distiller = compiled(stateless_student(), teacher("one"), optimizer=tf_keras.optimizers.SGD(0.1))
        distiller.fit(dataset, epochs=1, verbose=0)
        trained.append(distiller.student.get_weights())
    for one, other in zip(*trained, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def stateless_student() -> tf_keras.Model:
    """Without batch norm, whose statistics are each replica's own."""
    layers = tf_keras.layers
    image = layers.Input((16, 16, 3))
    return tf_keras.Model(image, layers.Dense(CLASSES)(layers.Flatten()(layers.Conv2D(2, 3, 4)(image))))


def test_a_rule_that_does_not_fit_the_teachers(student, teacher):
    with pytest.raises(UserError, match="two teachers, not 1"):
        Distiller(student, [teacher()], weighting=WeightingConfig(rule="paper-batch"))


def test_a_column_of_labels_is_taken_as_a_list(student, image_set):
    # The shared case labels_column.
    images = image_set(6)
    distiller = compiled(student)
    column = images.labels[:, np.newaxis]
    wanted = distiller.evaluate(images.images, images.labels, verbose=0)
    assert distiller.evaluate(images.images, column, verbose=0) == pytest.approx(wanted)
    dataset = tf.data.Dataset.from_tensor_slices((images.images, column)).batch(6)
    assert distiller.evaluate(dataset, verbose=0) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, CLASSES], r"label 3 found: expected whole numbers in 0\.\.2"),
        ([[0], [-1], [2]], "label -1 found"),
        ([0.0, 1.5, 2.0], r"label 1\.5 found"),
        (np.zeros((3, 2)), r"labels of shape \(3, 2\) found: expected \[B\], \[B, 1\] or \[B, 3\]"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_labels_that_are_no_classes(student, image_set, method, labels, message):
    images = image_set(3)
    with pytest.raises(ValueError, match=message):
        getattr(compiled(student), method)(images.images, np.array(labels))


def test_labels_of_the_validation_data_are_checked_too(student, image_set):
    images = image_set(3)
    with pytest.raises(ValueError, match="label 7 found"):
        compiled(student).fit(images.images, images.labels, validation_data=(images.images, np.array([0, 1, 7])))


def test_a_dataset_of_another_number_of_classes(student, image_set):
    images = image_set(4)
    dataset = tf.data.Dataset.from_tensor_slices((images.images, np.zeros((4, 2), np.float32))).batch(4)
    with pytest.raises(ValueError, match="labels of shape"):
        compiled(student).fit(dataset, verbose=0)


@pytest.mark.parametrize("make", [np.asarray, tf.constant, lambda images: {"image": images}])
def test_images_that_were_divided_already(student, image_set, make):
    images = image_set(6)
    distiller, scaled = compiled(student), make(images.images / np.float32(255))
    for call in (distiller.fit, distiller.evaluate, distiller.train_on_batch, distiller.test_on_batch):
        with pytest.raises(ValueError, match=r"highest value of the images is .*: give 0"):
            call(scaled, images.labels)
    with pytest.raises(ValueError, match="highest value of the images"):
        distiller.fit(images.images, images.labels, validation_data=(scaled, images.labels))


@pytest.mark.parametrize("kind", ["uint8", "int32", "float32", "float16"])
def test_images_in_any_numeric_type(student, image_set, kind):
    images = image_set(6)
    compiled(student).evaluate(images.images.astype(kind), images.labels, verbose=0)
    compiled(student).evaluate(np.zeros((6, 16, 16, 3), kind), images.labels, verbose=0)


def test_a_normalization_of_ones_own_takes_any_range(student, image_set):
    images = image_set(6)
    distiller = compiled(student, normalize=tf.identity)
    distiller.evaluate((images.images / np.float32(255)), images.labels, verbose=0)


def test_a_network_is_no_teacher(student):
    with pytest.raises(
        ValueError, match=r"teacher 'resnet8' is a Functional: give keras_satkd\.models\.teachers\.Teacher"
    ):
        Distiller(student, [students.build("resnet8", 16, CLASSES)])


def test_a_loss_that_would_be_ignored(student):
    with pytest.raises(ValueError, match="loss is 'mse': omit it"):
        Distiller(student).compile("adam", loss="mse")
    with pytest.raises(ValueError, match="loss is 'mse'"):
        Distiller(student).compile("adam", "mse")


def test_class_weights_are_in_the_ground_truth_loss_alone(student, image_set, teacher):
    images = image_set(8)
    inputs = {"image": images.images, "teacher_logits": teacher("one", 1).logits(images.images)[:, None]}
    weights = (3.0, 0.5, 1.0)
    weighted, plain = (
        compiled(student, teacher("one", 1), class_weights=each).evaluate(
            inputs, images.labels, verbose=0, return_dict=True
        )
        for each in (weights, ())
    )
    truth = -log_softmax(student(images.images / np.float32(255)).numpy(), axis=1)[np.arange(8), images.labels]
    assert weighted["ground_truth_loss"] == pytest.approx((truth * np.array(weights)[images.labels]).mean(), rel=1e-4)
    assert weighted["distillation_loss"] == pytest.approx(plain["distillation_loss"])
    assert weighted["accuracy"] == plain["accuracy"]
    with pytest.raises(ValueError, match="2 class weights found: give 3"):
        Distiller(student, class_weights=(1.0, 2.0))


def test_class_weights_are_saved(student):
    distiller = Distiller(student, class_weights=(1.0, 2.0, 3.0))
    assert Distiller.from_config(distiller.get_config()).class_weights == (1.0, 2.0, 3.0)
