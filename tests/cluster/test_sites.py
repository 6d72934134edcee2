"""What real sites have: QOS, reservations, hidden partitions, shells full of variables, odd names."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cells import Cells
from lab import ROOT, Lab, wait

Make = Callable[..., Cells]
#: What a shell on a login node, or inside another job, may have; each changes what SLURM's commands do.
SHELL = {
    "SQUEUE_FORMAT": "%A", "SQUEUE_STATES": "CD", "SQUEUE_PARTITION": "gpu", "SQUEUE_USERS": "nobody",
    "SBATCH_PARTITION": "nowhere", "SBATCH_EXCLUSIVE": "user", "SBATCH_HOLD": "1",
    "SBATCH_GRES": "gpu:9",
    "SLURM_JOB_ID": "1", "SLURM_NTASKS": "7", "SLURM_RESTART_COUNT": "3", "SLURM_CLUSTERS": "other",
    "CUDA_VISIBLE_DEVICES": "3", "RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "nowhere",
}  # fmt: skip
INSIDE = """
echo "$SLURM_JOB_ID ${SLURM_RESTART_COUNT:-0} ${CUDA_VISIBLE_DEVICES:-none} ${SBATCH_HOLD:-none}" \
    > results/toy/notes/$name
scontrol show job $SLURM_JOB_ID > results/toy/notes/$name.job
"""


@pytest.fixture
def odd_names(lab: Lab) -> Iterator[None]:
    """The user's own jobs, of other projects, with names that fill no line or are no text."""
    jobs = [
        lab.run(
            "sbatch", "--parsable", "-p", "cpu", b"-J" + name, "-o", "/dev/null", "--wrap", "sleep 60"
        )
        for name in (b"two\nlines", b"latin-1 \xe9", b"tab\tand | bar", b"\x1f")
    ]
    yield
    for job in jobs:
        lab.run("scontrol", "update", f"jobid={job.strip()}", "name=plain")
        lab.run("scancel", job.strip())


def test_a_shell_full_of_variables_and_odd_names_change_nothing(
    lab: Lab, make_cells: Make, odd_names: None
) -> None:
    """Hidden partitions, a path that a shell would expand, and the user's other jobs come together."""
    cells = {"a": {"gpus": 0, "partition": "hidden"}, "b": {"gpus": 1}}
    project = make_cells(lab, cells, INSIDE + "sleep 3", folder='it\'s $HOME `id` 50% "q"')
    project.write_profile(groups=None, retries=0)
    said = project.start("-j2", **SHELL).end()
    assert project.table() == ["a 1", "b 1"]
    assert {name: len(project.starts(name)) for name in cells} == dict.fromkeys(cells, 1)
    for name in cells:
        job, restarts, devices, hold = project.note(name).split()
        assert (restarts, hold) == ("0", "none")
        assert devices == {"a": "none", "b": "0"}[name]
        assert project.log(name).startswith(f"== SLURM job {job}, start 1, on ")
    assert "SBATCH_PARTITION" not in said.partition("Ignored variables")[0]
    assert "Ignored variables of the environment: " in said
    assert "Partition=hidden" in project.note("a.job")


def test_a_driver_that_is_a_job_itself(lab: Lab, make_cells: Make) -> None:
    """Nothing of the outer allocation, GPUs and tasks among them, reaches the jobs."""
    project = make_cells(lab, {"a": {"gpus": 0}, "b": {"gpus": 2}}, INSIDE)
    project.write_profile(groups=None, retries=0)
    line = shlex.join([sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/test", "-j2"])
    lab.run("sbatch", "--wait", "-p", "gpu", "--gres=gpu:3", "--ntasks=2", "-J", "driver", "-D",
            str(project.path), "-o", "driver.txt", f"--export=ALL,PYTHONPATH={ROOT / 'src'}",
            "--wrap", line)  # fmt: skip
    assert project.table() == ["a 1", "b 1"], (project.path / "driver.txt").read_text()
    assert project.note("a").split()[2] == "none"
    assert len(project.note("b").split()[2].split(",")) == 2
    assert "NumTasks=1" in project.note("a.job")


#: Keys of the site, each with what SLURM then shows of a job.
KEYS: dict[str, tuple[dict[str, Any], str]] = {
    "exclude": ({"exclude": ["gpu1"]}, "ExcNodeList=gpu1"),
    "nice": ({"nice": 70}, "Nice=70"),
    "reservation": ({"reservation": "ours"}, "Reservation=ours"),
    "mem_per_cpu": ({"mem_per_cpu": True}, "MinMemoryCPU=350M"),
    "options": ({"options": ["--mail-type=FAIL", "--licenses=data"]}, "Licenses=data"),
}


@pytest.fixture
def reservation(lab: Lab) -> Iterator[None]:
    lab.run("scontrol", "create", "reservation", "reservationname=ours", "users=root", "starttime=now",
            "duration=60", "nodes=cpu1", "flags=ignore_jobs,maint")  # fmt: skip
    yield
    lab.run("scontrol", "delete", "reservationname=ours")


def test_each_key_of_the_site_reaches_slurm(lab: Lab, make_cells: Make, reservation: None) -> None:
    """All keys at once; the examples under `options` are those of the shipped file."""
    shipped = (ROOT / "profiles" / "slurm" / "site.yaml").read_text()
    assert all(option in shipped for option in KEYS["options"][0]["options"])
    project = make_cells(lab, {"a": {"gpus": 0, "cpus": 2}}, INSIDE)
    site = {key: value for settings, _ in KEYS.values() for key, value in settings.items()}
    project.write_profile(site=site, groups=None, retries=0)
    project.start().end()
    shown = project.note("a.job")
    assert {key: text in shown for key, (_, text) in KEYS.items()} == dict.fromkeys(KEYS, True)


def test_set_resources_of_the_profile_add_to_the_site(lab: Lab, make_cells: Make) -> None:
    project = make_cells(lab, {"a": {"gpus": 1}}, INSIDE)
    extra = {"set-resources": {"cell": {"slurm_extra": "'--nice=55 --licenses=data'"}}}
    project.write_profile(groups=None, retries=0, **extra)
    project.start().end()
    shown = project.note("a.job")
    assert "Nice=55" in shown
    assert "Licenses=data" in shown
    assert "gpu:h100:1" in shown, "the GPU of the rule is still asked for"

    refused = {"cell": {"slurm_extra": "'--gres=gpu:2'"}}
    project.write_profile(groups=None, **{"set-resources": refused})
    said = project.start("--forceall").fail()
    assert "slurm_extra" in said
    assert "--gres=gpu:2" in said
    assert "Traceback" not in said


def test_options_that_have_a_key_are_refused_before_anything_runs(lab: Lab, make_cells: Make) -> None:
    project = make_cells(lab, {"a": {"gpus": 0}})
    options = {
        "--qos=normal": "use qos",
        "-p gpu": "use gpu.partition or cpu.partition",
        "-x gpu1": "use exclude",
        "--gres=gpu:2": "set by the driver itself",
        "--time=5": "use limits.runtime_min",
        "--mem-per-cpu=3G": "use mem_per_cpu",
    }
    project.write_profile(site={"options": list(options)}, groups=None)
    said = project.start().fail()
    for option, instead in options.items():
        assert re.search(rf"{option}\W.*{instead}", said), option
    assert "Traceback" not in said
    assert not project.starts("a")


def test_models_with_hyphens(lab: Lab, make_cells: Make, tmp_path: Path) -> None:
    """`a100-sxm4-80gb` is what sinfo prints; SLURM itself decides whether there is one."""
    project = make_cells(lab, {"a": {"gpus": 2}})
    model = "a100-sxm4-80gb"
    project.write_profile(site={"gpu": {"partition": "gpu", "model": model, "per_node": 4}}, groups=None)
    said = project.start().fail()
    assert f"GPUs per node gpu:{model}:2" in said
    assert "Invalid GRES format" not in said
    assert "node configuration is not available" in said


def test_files_that_no_copy_can_hold_are_left_out(lab: Lab, make_cells: Make) -> None:
    import os
    import socket

    project = make_cells(lab, {"a": {"gpus": 0}})
    os.mkfifo(project.path / "pipe")
    (project.path / "dangling").symlink_to("nowhere")
    (project.path / "circle").symlink_to("circle")
    huge = project.path / "huge"
    huge.mkdir()
    for number in range(2500):
        (huge / f"{number}").touch()
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(project.path)
        listener.bind("socket")
        project.start().end()
    (launch,) = (project.path / ".snakemake" / "launches").iterdir()
    assert {"pipe", "dangling", "circle", "socket"} & {path.name for path in launch.iterdir()} == set()
    assert (launch / "huge").is_symlink()


def test_a_launch_folder_lives_as_long_as_its_job(lab: Lab, make_cells: Make) -> None:
    project = make_cells(
        lab,
        {"a": {"gpus": 0, "partition": "hidden"}, "b": {"gpus": 0}},
        "while [ ! -e results/toy/let ]; do sleep 0.2; done",
    )
    driver = project.start("-j2")
    wait(lambda: project.starts("a") and project.starts("b"), 240)
    driver.kill()
    (launch,) = (project.path / ".snakemake" / "launches").iterdir()
    for _ in range(2):
        again = project.start("-j2")
        again.says(f"cell a: SLURM job {project.starts('a')[0]} of an earlier start")
        assert launch.exists()
        again.kill()
    (project.path / "results" / "toy" / "let").touch()
    project.start("-j2").end()
    assert {name: len(project.starts(name)) for name in "ab"} == {"a": 1, "b": 1}
