"""kill -9 of Snakemake while its jobs run, and the same command again."""

from __future__ import annotations

from collections.abc import Callable

from cells import Cells
from lab import Lab, wait

Make = Callable[..., Cells]
#: Cells end when the test lets them.
UNTIL_LET = "while [ ! -e results/toy/let-$name ]; do sleep 0.2; done"


def let(project: Cells, *names: str) -> None:
    for name in names:
        (project.path / "results" / "toy" / f"let-{name}").touch()


def test_what_runs_is_followed_and_what_is_done_is_kept(lab: Lab, make_cells: Make) -> None:
    cells = {
        "done": {"gpus": 0},
        "meanwhile": {"gpus": 0},
        "running": {"gpus": 0},
        "waiting": {"gpus": 8},
    }
    project = make_cells(lab, cells, UNTIL_LET)
    with lab.occupied():
        driver = project.start("-j4")
        wait(lambda: all(project.starts(name) for name in ("done", "meanwhile", "running")), 240)
        lab.job("cell waiting", "PENDING")
        let(project, "done")
        driver.says("1 of 5 steps")
        driver.kill()
        let(project, "meanwhile")  # ends while nobody looks
        wait(lambda: project.ends("meanwhile"), 240)
        before = {name: project.starts(name) for name in cells}
        waiting = lab.job("cell waiting", "PENDING")["id"]

        again = project.start("-j4")
        again.says(f"cell running: SLURM job {before['running'][0]} of an earlier start")
        again.says(f"cell waiting: SLURM job {waiting} of an earlier start (pending) is followed")
    let(project, "running", "waiting")
    said = again.end()
    assert project.table() == [f"{name} 1" for name in cells]
    assert {name: len(project.starts(name)) for name in cells} == dict.fromkeys(cells, 1)
    assert {name: len(project.ends(name)) for name in cells} == dict.fromkeys(cells, 1)
    assert f"SLURM still has job {waiting} of this folder (cell waiting, pending)" in said
    assert "Nothing to be done" in project.start().end(), "and the records of all of them are there"


def test_a_running_job_with_other_settings_is_waited_for_and_its_result_replaced(
    lab: Lab, make_cells: Make
) -> None:
    project = make_cells(lab, {"a": {"gpus": 0}, "b": {"gpus": 0}}, UNTIL_LET)
    driver = project.start("-j2")
    wait(lambda: project.starts("a") and project.starts("b"), 240)
    driver.kill()
    (number,) = project.starts("a")
    project.write_cells({"a": {"gpus": 0, "value": 2}, "b": {"gpus": 0}})
    let(project, "b")
    again = project.start("-j2")
    again.says(f"cell a: SLURM job {number} of an earlier start still writes the same files")
    again.says(f"scancel {number}")
    assert project.starts("a") == [number]
    let(project, "a")
    again.end()
    assert project.table() == ["a 2", "b 1"]
    assert len(project.ends("a")) == 2
    assert "Nothing to be done" in project.start().end()


def test_what_is_left_of_a_group_is_followed(lab: Lab, make_cells: Make) -> None:
    """One member is done when the driver dies: a new start has a smaller group with other outputs."""
    project = make_cells(
        lab, {"a": {"gpus": 0}, "b": {"gpus": 0}}, f"[ $name = a ] || {{ {UNTIL_LET}; }}"
    )
    # Side by side in one job: which of the two Snakemake takes first is its own affair.
    project.write_profile(groups=["cell=cells"], **{"group-components": ["cells=2"], "cores": 4})
    driver = project.start("-j2")
    wait(lambda: project.ends("a") and project.starts("b"), 240)
    driver.kill()
    (number,) = project.starts("b")
    again = project.start("-j2")
    again.says(f"SLURM job {number} of an earlier start (running) is followed, not submitted again")
    let(project, "b")
    again.end()
    assert project.table() == ["a 1", "b 1"]
    assert {name: len(project.starts(name)) for name in "ab"} == {"a": 1, "b": 1}
