"""The modules beside the pages, which are no package."""

import importlib
import importlib.util
import sys

import pytest
from markdown_text import ROOT


@pytest.fixture(scope="session")
def docs_module():
    """A function from the name of a module in `docs/` or a folder below it to the module."""

    def load(name: str, folder: str = "docs"):
        before = list(sys.path)
        sys.path.insert(0, str(ROOT / folder))
        try:
            return importlib.import_module(name)
        finally:
            sys.path[:] = before

    return load


@pytest.fixture(scope="session")
def docs_command_line(docs_module):
    """`docs/command_line.py`."""
    return docs_module("command_line")


@pytest.fixture(scope="module")
def renew(request):
    """`renew.py` in the module's `FOLDER` of docs, which writes what was measured into pages, as a module."""
    spec = importlib.util.spec_from_file_location("renew", ROOT / "docs" / request.module.FOLDER / "renew.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
