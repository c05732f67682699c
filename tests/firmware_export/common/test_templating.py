import jinja2
import pytest

from firmware_export.common import templating


@pytest.fixture
def render(tmp_path, monkeypatch):
    """Renders a text as if it were a package's template of that name."""
    package = tmp_path / f"package_of_{tmp_path.name}"  # Python and the module under test keep what they have found
    (package / "templates").mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def call(file, text, **context):
        (package / "templates" / file).write_text(text)
        return templating.render_template(file, context, package.name)

    return call


def test_names_are_filled_in_and_the_last_line_break_is_kept(render):
    assert render("model.h", "int {{ symbol }};\n", symbol="g_model") == "int g_model;\n"


def test_blocks_leave_no_empty_lines(render):
    text = "{\n  {% for value in values %}\n  {{ value }},\n  {% endfor %}\n}\n"
    assert render("model.cc", text, values=[1, 2]) == "{\n  1,\n  2,\n}\n"


def test_a_missing_name_is_an_error(render):
    with pytest.raises(jinja2.UndefinedError, match="symbol"):
        render("model.h", "{{ symbol }}")


def test_text_is_escaped_in_html_alone(render):
    assert render("page.html", "{{ name }}", name="<b>") == "&lt;b&gt;"
    assert render("model.cc", "{{ name }}", name="a<b>") == "a<b>"


def test_the_packages_own_templates_are_found():
    assert templating._environment("firmware_export").list_templates()


EVIL = "<script>|[x](javascript:x)`\n# y & $z$"


def test_markdown_text_is_text_on_one_line():
    assert templating.markdown_text(EVIL) == r"&lt;script>\|\[x\](javascript:x)\` # y &amp; $z$"
    assert templating.markdown_code(EVIL) == r"<script>\|[x](javascript:x)' # y & $z$"


@pytest.mark.parametrize("text", ["a", "```", "a\n````\nb", "`" * 9])
def test_a_block_of_code_ends_where_its_text_does(text):
    lines = templating.markdown_block(text, "sh").splitlines()
    fence = lines[0].removesuffix("sh")
    assert set(fence) == {"`"}
    assert lines[-1] == fence
    assert "\n".join(lines[1:-1]) == text
    assert fence not in text
