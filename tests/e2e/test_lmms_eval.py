"""lmms-eval finds a trained model by its entry point, and asks and scores it as this project does.

lmms-eval gets an environment of its own: its dependencies must not reach this one (torchvision from a
registry does not fit a CPU build of torch). It is kept in the temporary folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import numpy as np
import pytest
import yaml

import hub_data
import tiny
from paretoken.cli import main
from paretoken.data.rows import read_rows

pytestmark = pytest.mark.slow
PROJECT = Path(__file__).parents[2]
LMMS_EVAL = "lmms-eval==0.7.3"
QUESTIONS, BATCH = 160, 7
MISSING = (
    "import sys; sys.modules['lmms_eval'] = None; from paretoken.cli import main; "
    "sys.exit(main(sys.argv[1:]))"
)


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter of an environment with lmms-eval, which sees this project and its entry point."""
    key = hashlib.sha256(f"{PROJECT} {sys.prefix} {sys.version} {LMMS_EVAL}".encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"paretoken-lmms-eval-{os.getuid()}-{key}"
    made = folder / "bin" / "python"
    constraints = ["-c", str(PROJECT / "constraints.txt")]
    try:
        if not (folder / "complete").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            packages = folder.glob("lib/python*/site-packages")
            # What is installed here is seen there, torch above all, and this project with its entry
            # point; pip takes it as installed.
            here = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
            (next(packages) / "tested.pth").write_text(here)
            extra = read_extra()
            subprocess.run([made, "-m", "pip", "install", "-q", *extra, *constraints], check=True)
            subprocess.run([made, "-m", "pip", "install", "-q", "--no-deps", LMMS_EVAL], check=True)
            (folder / "complete").touch()
    except subprocess.CalledProcessError as error:
        if os.getenv("CI"):
            raise
        pytest.skip(f"lmms-eval cannot be installed here (offline?): {error}")
    return made


def read_extra() -> list[str]:
    """Return the packages of the extra ``lmms``."""
    import tomllib

    content = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    packages: list[str] = content["project"]["optional-dependencies"]["lmms"]
    return packages


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights that often says yes or no, and POPE's rows in the hub's format."""
    import datasets

    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny, "WORDS", ["yes", "no", "is", "it", "?"])
        tiny.save_world(folder)
        tiny.save_model(folder)
    random = np.random.default_rng(0)
    rows = [
        {"id": str(i), "question_id": str(i), "answer": ("yes", "no")[random.integers(2)],
         "question": ("is it ?", "is it no ?", "no ? it is it ?")[i % 3], "category": "random",
         "image": hub_data.picture(tuple(random.integers(0, 255, 3).tolist())),
         "image_source": f"picture{i}"} for i in range(QUESTIONS)
    ]  # fmt: skip
    (folder / "hub" / "data").mkdir(parents=True)
    table = datasets.Dataset.from_list(rows).cast_column("image", datasets.Image())
    table.to_parquet(folder / "hub" / "data" / "test-00000-of-00001.parquet")
    return folder


def write_task(folder: Path, python: Path, rows: Path) -> None:
    """Write a task file: the packaged POPE, on local rows."""
    find = "import importlib.util as u; print(u.find_spec('lmms_eval').submodule_search_locations[0])"
    place = subprocess.run([python, "-c", find], check=True, capture_output=True, text=True).stdout
    folder.mkdir()
    task = {
        "include": str(Path(place.strip(), "tasks", "pope", "pope.yaml")),
        "task": "pope_rows",
        "dataset_path": "parquet",
        "dataset_kwargs": {"data_files": {"test": str(rows)}},
        "generation_kwargs": {"max_new_tokens": 4, "do_sample": False, "until": ["?", "it"]},
    }
    (folder / "pope_rows.yaml").write_text(yaml.safe_dump(task))


def test_a_packaged_task_is_run_and_scored_like_a_benchmark_of_the_project(
    python: Path, world: Path, tmp_path: Path
) -> None:
    write_task(tmp_path / "tasks", python, world / "hub" / "data" / "test-00000-of-00001.parquet")
    out = tmp_path / "score.json"
    model = ["--model", str(world / "model")]
    line = [python, "-m", "paretoken", "lmms-eval", *model, "--task", "pope_rows", "--include-path",
            tmp_path / "tasks", "--allow-code", "--metric", "pope_f1_score", "--batch", str(BATCH),
            "--out", out]  # fmt: skip
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub")}
    done = subprocess.run(line, env=os.environ | offline, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    theirs = json.loads(out.read_text())

    asked, answers = tmp_path / "asked", tmp_path / "answers.parquet"
    assert (
        main(["questions", "--benchmark", "pope", "--source", str(world / "hub"), "--out", str(asked)])
        == 0
    )
    assert main(["predict", *model, "--questions", str(asked / "questions.parquet"), "--images",
                 str(asked / "images"), "--max-new-tokens", "4",
                 "--out", str(answers)]) == 0  # fmt: skip
    plain = [row["prediction"] for row in read_rows(answers)]
    said = [row["prediction"] for row in theirs["rows"]]
    assert said == [text.split("?")[0].split("it")[0].strip() for text in plain]
    assert "yes" in said
    assert len(set(said)) > 3  # or the scores would show nothing

    stored = tmp_path / "said.jsonl"
    stored.write_text("".join(json.dumps(row) + "\n" for row in theirs["rows"]))
    ours = tmp_path / "ours.json"
    assert main(["score", "--benchmark", "pope", "--variant", "literal", "--predictions", str(stored),
                 "--out", str(ours)]) == 0  # fmt: skip
    own = json.loads(ours.read_text())
    assert theirs["score"] == pytest.approx(own["score"], abs=1e-12)
    assert 0 < theirs["score"] < 1
    assert [row["score"] for row in theirs["rows"]] == [row["score"] for row in own["rows"]]
    assert theirs["n"] == QUESTIONS
    assert theirs["interval"][0] < theirs["score"] < theirs["interval"][1]


def test_without_lmms_eval_the_command_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MISSING, "lmms-eval", "--model", "m", "--task", "pope",
         "--out", "s.json"], cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "pip install --no-deps lmms-eval" in done.stderr
    assert not list(tmp_path.iterdir())
