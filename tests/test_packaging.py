"""The wheel: what is in it, that it starts fast and light, and that nothing in the user's folder can take its place."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from pace import imports, ratio

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "transformers", "pyarrow", "datatrove", "numpy", "pydantic", "lxml", "yaml", "rich", "fugashi")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel in it; what it depends on is borrowed from this one."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--quiet", wheel]
    subprocess.run(install, check=True, capture_output=True)
    borrowed = (
        home / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages" / "borrowed.pth"
    )
    borrowed.write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A working folder as users have them, and worse."""
    (tmp_path / "train.py").write_text("raise SystemExit('your train.py ran')")
    (tmp_path / "registry.py").write_text("raise SystemExit('your registry.py ran')")
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "__init__.py").write_text("raise SystemExit('your pipelines ran')")
    return tmp_path


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    env = {**clean, "CORPUS_HOME": str(cwd / "home")}
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )


def test_the_wheel_holds_the_four_packages_with_their_data_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {
        "corpus",
        "pipelines",
        "train",
        "registry",
    }
    for name in (
        "corpus/py.typed",
        "corpus/templates/recipe.yaml",
        "pipelines/quality/profiles/filing.yaml",
        "registry/domains/ja_finance/recipe.yaml",
        "registry/domains/ja_finance/tokenizer/tokenizer.json",
        "registry/domains/ja_finance/LICENCES.md",
    ):
        assert name in names, name


def test_the_wheel_works_beside_files_of_the_same_names(installed: Path, hostile: Path) -> None:
    assert run(installed / "corpus", "--help", cwd=hostile).returncode == 0
    (hostile / "files").mkdir()
    (hostile / "files" / "a.txt").write_text("財務諸表は、企業の財政状態を表す書類である。" * 10, encoding="utf-8")
    made = run(installed / "corpus", "new", "mine", "--files", "files", "--kind", "news", cwd=hostile)
    assert made.returncode == 0, made.stderr
    built = run(installed / "corpus", "build", "mine", cwd=hostile)
    assert built.returncode == 0, built.stdout + built.stderr
    assert (hostile / "builds" / "mine" / "manifest.json").is_file()


def test_a_module_that_hides_ours_is_named(installed: Path, hostile: Path) -> None:
    done = run(installed / "python", "-m", "corpus", "--help", cwd=hostile)
    assert done.returncode == 2
    assert f"`pipelines` is {hostile}/pipelines/__init__.py, which hides the package" in done.stderr
    assert "Run the `corpus` command" in done.stderr
    assert "ran" not in done.stdout + done.stderr.replace("Run", "")


def test_help_is_light_and_fast(installed: Path, tmp_path: Path) -> None:
    script = "import sys\nfrom corpus.cli import cli\ntry:\n    cli(['--help'])\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    done = run(installed / "python", "-c", script, cwd=tmp_path)
    assert "Commands:" in done.stdout
    assert not set(HEAVY) & {name.split(".")[0] for name in done.stderr.split()}
    assert ratio(lambda: run(installed / "corpus", "--help", cwd=tmp_path), imports("click"), rounds=5) < 5


def test_importing_the_api_is_light(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "python", "-c", "import corpus, sys; print(dir(corpus), *sys.modules)", cwd=tmp_path)
    assert "open_build" in done.stdout
    assert not set(HEAVY) & {name.split(".")[0] for name in done.stdout.split()}
