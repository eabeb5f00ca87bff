"""`observers new`: the example under another name, which is as whole as the example itself."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from omnidetective.errors import ConfigError
from omnidetective.observers.registry import BUILT_IN
from omnidetective.observers.skeleton import EXAMPLE, LONGEST_NAME, class_name, package_name, skeleton, write_skeleton

ROOT = Path(__file__).resolve().parents[2]
TRACE = re.compile(r"focus[\W_]*meter", re.IGNORECASE)


def is_allowed(name: str) -> bool:
    try:
        skeleton(name)
    except ConfigError:
        return False
    return True


words = st.from_regex(r"[a-z][a-z0-9]{0,9}(_[a-z0-9]{1,9}){0,2}", fullmatch=True)
names = words.filter(lambda name: len(name) <= LONGEST_NAME and is_allowed(name))


def new(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "omnidetective", "observers", "new", *arguments],
        capture_output=True, text=True, timeout=60, cwd=cwd, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@given(name=names)
@example(name="a1")
@example(name="meter")
@example(name="focus")
@example(name="x_1_2")
@example(name="omnidetective")
@example(name="n" * LONGEST_NAME)
def test_a_skeleton_is_named_throughout_and_compiles(name: str) -> None:
    files = skeleton(name)
    module = f"omnidetective_{name}"
    assert set(files) == {"README.md", "pyproject.toml", f"{module}.py", f"tests/test_{name}.py"}
    for path, text in files.items():
        assert not TRACE.search(text), path
        if path.endswith(".py"):
            compile(text, path, "exec")
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["name"] == package_name(name)
    assert project["entry-points"] == {"omnidetective.observers": {name: f"{module}:{class_name(name)}"}}
    classes = [node.name for node in ast.parse(files[f"{module}.py"]).body if isinstance(node, ast.ClassDef)]
    assert classes == [f"{class_name(name)}Settings", class_name(name)]
    assert f'name="{name}"' in files[f"{module}.py"]


@given(name=names)
def test_nothing_but_the_name_differs_from_the_example(name: str) -> None:
    marks = {EXAMPLE: "\0", class_name(EXAMPLE): "\1", "focus-meter": "\2"}
    named = {"\0": name, "\1": class_name(name), "\2": name.replace("_", "-")}
    for (path, text), (old_path, old) in zip(skeleton(name).items(), skeleton(EXAMPLE).items(), strict=True):
        for spelling, mark in marks.items():
            old = old.replace(spelling, mark)
        for mark, spelling in named.items():
            old = old.replace(mark, spelling)
        assert text == old
        assert path == old_path.replace(EXAMPLE, name)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "lower_snake_case"),
        ("x", "lower_snake_case"),
        ("BirdCount", "lower_snake_case"),
        ("bird-count", "lower_snake_case"),
        ("bird count", "lower_snake_case"),
        ("2birds", "lower_snake_case"),
        ("_birds", "lower_snake_case"),
        ("birds_", "lower_snake_case"),
        ("bird__count", "lower_snake_case"),
        ("vögel", "lower_snake_case"),
        ("../birds", "lower_snake_case"),
        ("birds\n", "lower_snake_case"),
        ("b" * (LONGEST_NAME + 1), "at most"),
        ("import", "word of the Python language"),
        ("match", "word of the Python language"),
        ("none", "the class of none would be None"),
        ("true", "True"),
        ("key_error", "KeyError"),
        ("span", "Span"),
        ("clip", "Clip"),
        ("observer", "ObserverSettings"),
        ("image", "Image"),
        *((name, "built-in") for name in BUILT_IN),
    ],
)
def test_what_cannot_be_a_name_is_refused(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        write_skeleton(name, tmp_path / "package")
    assert not list(tmp_path.iterdir())


def test_the_command_writes_the_package_and_says_what_comes_next(tmp_path: Path) -> None:
    done = new("bird_count", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "omnidetective-bird-count"
    assert {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.*")} == skeleton(
        "bird_count"
    )
    commands = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert commands == [
        "pip install -e 'omnidetective-bird-count[test]'",
        "python -m pytest omnidetective-bird-count",
        "omnidetective observers ask bird_count CLIP",
    ]


def test_nothing_is_written_over_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("my own")
    done = new("bird_count", "--dir", "mine", cwd=tmp_path)
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert [path.read_text() for path in (tmp_path / "mine").iterdir()] == ["my own"]
    (tmp_path / "file").write_text("x")
    done = new("bird_count", "--dir", "file/below", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_a_bad_name_is_one_line_and_exit_2(tmp_path: Path) -> None:
    done = new("Bird-Count", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_skeletons_of_several_names_pass_the_linter_and_the_strict_type_checker(tmp_path: Path) -> None:
    chosen = ("ab", "omnidetective", "bird_count", "a_1", "n" * LONGEST_NAME, "_".join(["w"] * (LONGEST_NAME // 2)))
    for name in chosen:
        write_skeleton(name, tmp_path / package_name(name))
    folders = [str(tmp_path / package_name(name)) for name in (*chosen, EXAMPLE) if name != EXAMPLE]
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", *folders, str(ROOT / "tools" / "example")],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    files = [str(path) for path in tmp_path.glob("**/*.py")]
    roots = os.pathsep.join([str(ROOT), *folders])
    options = ("--config-file", f"{folders[0]}/pyproject.toml", "--explicit-package-bases")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *options, "--cache-dir", str(ROOT / ".mypy_cache"), *files],
        capture_output=True, text=True, timeout=300, check=False, env=os.environ | {"MYPYPATH": roots}, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_holds_the_example(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path / "dist"), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "import json, omnidetective\nfrom omnidetective.observers.skeleton import skeleton\n"
        "print(json.dumps([omnidetective.__file__, dict(skeleton('bird_count'))]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
    )  # fmt: skip
    where, files = json.loads(done.stdout)
    assert Path(where).is_relative_to(tmp_path / "site")
    assert files == skeleton("bird_count")
