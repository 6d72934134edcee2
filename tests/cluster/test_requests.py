"""What jobs get, what is refused, and what an edit does not change."""

from __future__ import annotations

import re
from collections.abc import Callable

from cells import Cells
from lab import Lab

INSIDE = """
echo "$CUDA_VISIBLE_DEVICES $SLURM_CPUS_PER_TASK $SLURM_MEM_PER_NODE $SLURM_JOB_NUM_NODES" \
"$SLURM_GPUS_ON_NODE $SLURMD_NODENAME" > results/toy/notes/$name
"""
#: `a` and `b` run at the same time.
TOGETHER = """
case $name in
  a | b) until [ -e results/toy/notes/a ] && [ -e results/toy/notes/b ]; do sleep 0.2; done ;;
esac
sleep 2
"""
Make = Callable[..., Cells]


def test_jobs_get_the_gpus_cpus_and_memory_that_they_requested(lab: Lab, make_cells: Make) -> None:
    cells = {
        "a": {"gpus": 2, "cpus": 3, "mem_mb": 900},
        "b": {"gpus": 2},
        "none": {"gpus": 0},
        "two": {"gpus": 8, "cpus": 6, "mem_mb": 1600},
    }
    project = make_cells(lab, cells, INSIDE + TOGETHER)
    # `two` wants all GPUs: if SLURM saw it before `b`, `b` would wait behind it, and `a` for `b`.
    together = [f"results/toy/cells/{name}.txt" for name in ("a", "b", "none")]
    project.start("-j3", *together).end()
    project.start().end()
    assert project.table() == ["a 1", "b 1", "none 1", "two 1"]
    devices, cpus, memory, nodes, gpus, node = project.note("a").split()
    assert (len(devices.split(",")), cpus, memory, nodes, gpus) == (2, "3", "900", "1", "2")
    assert node.startswith("gpu")
    other, *_, other_node = project.note("b").split()
    assert node != other_node or not {*devices.split(",")} & {*other.split(",")}
    assert project.note("none").split()[-1] == "cpu1"
    devices, cpus, memory, nodes, gpus, _ = project.note("two").split()
    # Two nodes with four GPUs each; CPUs and memory of the whole job are split between them.
    assert (len(devices.split(",")), cpus, memory, nodes, gpus) == (4, "3", "800", "2", "4")
    assert [job["name"] for job in lab.jobs("cell two")] == ["cell two"]


def test_jobs_wait_until_there_are_gpus(lab: Lab, make_cells: Make) -> None:
    two = "until [ $(ls results/toy/notes/*.starts | wc -l) -ge 2 ]; do sleep 0.2; done; sleep 2"
    project = make_cells(lab, {name: {"gpus": 4} for name in "abc"}, two)
    project.start("-j3").end()
    assert len(project.table()) == 3
    times = []
    for name in "abc":
        for kind, change in (("starts", 1), ("ends", -1)):
            times.append((float(project.note(f"{name}.{kind}").split()[1]), change))
    running, most = 0, 0
    for _, change in sorted(times):
        running += change
        most = max(most, running)
    assert most == 2, "eight GPUs are enough for two of three"


def test_all_impossible_requests_are_named_with_rule_and_resource(lab: Lab, make_cells: Make) -> None:
    cells = {
        "good": {"gpus": 0},
        "many": {"gpus": 9},
        "large": {"mem_mb": 70_000},
        "elsewhere": {"partition": "gqu"},
    }
    project = make_cells(lab, cells)
    site = {"gpu": {"partition": "gpu", "per_node": 9}, "limits": {"mem_mb": 10**6}}
    project.write_profile(site=site, groups=None)
    said = project.start().fail()
    assert re.search(r"rule cell \(such as cell many\) requests .*GPUs per node gpu:9", said)
    assert re.search(r"rule cell \(such as cell large\) requests .*MB per node 70000", said)
    assert "rule cell (such as cell elsewhere) requests partition gqu" in said
    assert "invalid partition specified: gqu" in said
    assert "Correct profiles/test/site.yaml" in said
    assert "Traceback" not in said
    assert not project.starts("good")


def test_a_job_that_would_wait_for_ever_is_given_up(lab: Lab, make_cells: Make) -> None:
    project = make_cells(lab, {"good": {"gpus": 0}, "long": {"gpus": 0, "runtime": 600}})
    project.write_profile(site={"limits": {"runtime_min": 9999}}, groups=None, retries=0)
    said = project.start().fail()
    assert "cell long: SLURM never runs jobs that request" in said
    assert "minutes 600: PartitionTimeLimit" in said
    assert len(project.ends("good")) == 1
    assert not [job for job in lab.jobs("cell long") if job["state"] in ("PENDING", "RUNNING")]


def test_a_site_with_mistakes_is_refused_with_all_of_them(lab: Lab, make_cells: Make) -> None:
    project = make_cells(lab, {"a": {}})
    project.write_profile(site={"gpu": {"partitions": "gpu"}, "warn_s": "soon"}, groups=None)
    said = project.start().fail()
    assert "profiles/test/site.yaml is not a valid SLURM site" in said
    assert "partitions" in said
    assert "warn_s" in said


def test_job_arrays_are_refused(lab: Lab, make_cells: Make) -> None:
    """Their tasks would all get what the first asked for."""
    project = make_cells(lab, {"a": {}, "b": {"gpus": 0}})
    assert "does not support job arrays" in project.start("--paretoken-slurm-array-jobs", "cell").fail()
    assert not project.starts("a")


def test_an_edit_while_jobs_wait_does_not_change_what_they_run(lab: Lab, make_cells: Make) -> None:
    project = make_cells(lab, {"a": {"gpus": 0}, "late": {"gpus": 8, "value": 7}})
    with lab.occupied():
        driver = project.start("-j2")
        lab.job("cell late", "PENDING")
        project.write_cells({"a": {"gpus": 0}, "late": {"gpus": 8, "value": 9}})
        project.write_commands("value=100")
        snakefile = project.path / "Snakefile"
        snakefile.write_text(snakefile.read_text().replace("{params.value}", "50"))
    driver.end()
    assert project.table() == ["a 1", "late 7"]
    again = project.start()
    again.end()
    assert "late 100" in project.table(), "a new start has the edits, and knows what they make stale"
