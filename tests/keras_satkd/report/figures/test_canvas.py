import matplotlib

from keras_satkd.report.figures.canvas import PANEL, svg


def test_svg_is_the_same_every_time_and_leaves_settings_alone():
    before = dict(matplotlib.rcParams)
    once, again = (svg(PANEL, lambda figure: figure.subplots().plot([1, 2]), "one", "a < b") for _ in range(2))
    assert once == again
    assert "<title>a &lt; b</title>" in once
    assert dict(matplotlib.rcParams) == before
