"""Files for the code host: workflows call existing targets, on the Python versions of pyproject.toml."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_text import PAGES, code_spans, fences, text
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):(?!=)", MAKEFILE, re.MULTILINE))
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))
FORMS = sorted(GITHUB.glob("ISSUE_TEMPLATE/*.yml"))


def read(path: Path) -> dict[str, Any]:
    """A YAML file, all scalars as strings: `on` and 3.10 stay unchanged."""
    return yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)


def pythons() -> list[str]:
    """The Python versions of requires-python, oldest first."""
    supported = SpecifierSet(PROJECT["requires-python"])
    return [f"3.{minor}" for minor in range(50) if f"3.{minor}.0" in supported]


def jobs() -> dict[str, dict[str, Any]]:
    """All jobs of all workflows, by name."""
    return {name: job for path in WORKFLOWS for name, job in read(path)["jobs"].items()}


def make_targets(commands: str) -> set[str]:
    """The make targets that shell commands call, directly or through our scripts."""
    lists = re.findall(r"(?:^|exec|&&|;) *make ([a-z][a-z -]*)", commands, re.MULTILINE)
    called = {target for targets in lists for target in targets.split()}
    for script in re.findall(r"\.ci/[a-z]+", commands):
        called |= make_targets((ROOT / script).read_text(encoding="utf-8"))
    return called


def called_by(job: dict[str, Any]) -> set[str]:
    """The targets that a job's steps call."""
    return set().union(*(make_targets(step.get("run", "")) for step in job["steps"]))


def test_the_workflows_lint_test_and_build():
    called = set().union(*map(called_by, jobs().values()))
    assert called == {"lint", "test", "docs", "wheel", "sbom", "audit", "torture"}
    assert called <= TARGETS


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read(path):
    workflow = read(path)
    # Not `pull_request_target`, which runs a stranger's code with the repository's rights.
    assert set(workflow["on"]) <= {"push", "pull_request", "schedule", "workflow_dispatch"}
    assert workflow["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in workflow["jobs"].values())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(path):
    used = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert used
    for action in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_an_action_has_one_version():
    used = {action for path in WORKFLOWS for action in re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))}
    assert len({action.partition("@")[0] for action in used}) == len(used)


def test_new_dependencies_are_reviewed():
    steps = [step for job in jobs().values() for step in job["steps"]]
    assert any(step.get("uses", "").startswith("actions/dependency-review-action@") for step in steps)


def test_scripts_of_the_workflows_can_be_executed():
    for job in jobs().values():
        for step in job["steps"]:
            for script in re.findall(r"\.ci/[a-z]+", step.get("run", "")):
                assert os.access(ROOT / script, os.X_OK), script


def test_one_list_of_pythons():
    prefix = "Programming Language :: Python :: "
    numbers = [text.removeprefix(prefix) for text in PROJECT["classifiers"] if text.startswith(prefix)]
    assert [number for number in numbers if re.fullmatch(r"3\.\d+", number)] == pythons()
    assert jobs()["tests"]["strategy"]["matrix"]["python"] == pythons()
    oldest, newest = (tuple(map(int, version.split("."))) for version in (pythons()[0], pythons()[-1]))
    assert f"{oldest} <= v <= {newest}" in MAKEFILE


def test_a_job_runs_on_a_supported_python():
    for name, job in jobs().items():
        if not called_by(job):
            continue  # it runs an action only
        version = re.fullmatch(r"python:(3\.\d+|\$\{\{ matrix\.python \}\})-\w+", job["container"])
        assert version, name
        assert version[1] == ("${{ matrix.python }}" if name == "tests" else pythons()[0]), name


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_is_complete(path):
    form = read(path)
    assert set(form) == {"name", "description", "labels", "body"}
    questions = [part for part in form["body"] if part["type"] != "markdown"]
    assert {part["type"] for part in questions} <= {"textarea", "input", "dropdown", "checkboxes"}
    assert all(part["attributes"]["label"] and part["validations"]["required"] for part in questions)
    identifiers = [part["id"] for part in questions]
    assert len(set(identifiers)) == len(identifiers)


def test_there_is_a_form_for_bugs_and_one_for_features():
    assert [path.stem for path in FORMS] == ["bug", "feature"]


@pytest.mark.parametrize("page", [*PAGES, GITHUB / "pull_request_template.md"], ids=lambda page: page.name)
def test_make_targets_in_the_documentation_exist(page):
    content = text(page)
    code = "\n".join([*code_spans(content), *(fence.text for fence in fences(content))])
    assert set(re.findall(r"^\W*make ([a-z][a-z-]*)", code, re.MULTILINE)) <= TARGETS


def test_the_package_is_cited_as_it_is_described():
    citation = read(ROOT / "CITATION.cff")
    assert [author["name"] for author in PROJECT["authors"]] == [author["name"] for author in citation["authors"]]
    assert PROJECT["license"] == citation["license"]
    paper = citation["preferred-citation"]["identifiers"][0]["value"].removeprefix("arXiv:")
    assert PROJECT["urls"]["Paper"] == f"https://arxiv.org/abs/{paper}"
