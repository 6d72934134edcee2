"""The provenance of a study: settings, code, versions, hashes, devices and resources used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paretoken.analysis.study_results import StudyResults
from paretoken.costs.quantities import quantity
from paretoken.errors import UserError
from paretoken.io.files import read_json
from paretoken.io.text_tables import clock, counted
from paretoken.io.versions import versions
from paretoken.study.grid import Cell
from paretoken.study.recorded import read_record

STAGES = ("pretrain", "finetune")
PACKAGES = ("numpy", "scipy", "pandas", "matplotlib", "altair", "snakemake")


def read_runs(cells: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the existing records of the training stages of cells.

    Args:
        cells: the folders of the cells.

    Raises:
        UserError: a record is not a JSON object.
    """
    found = []
    for folder in cells:
        Cell.of(folder)
        for path in (folder / stage / "run.json" for stage in STAGES):
            if path.exists():
                record = read_json(path)
                if not isinstance(record, dict):
                    raise UserError(f"{path} is not the record of a training run; train that cell again")
                found.append(record)
    return found


def provenance(
    results: StudyResults, training: Sequence[tuple[str, str]], commit: str | None
) -> list[tuple[str, str]]:
    """Return the provenance as pairs of a name and a value.

    Args:
        results: the results of the study.
        training: such pairs on its training (see `training_facts`); empty if it was measured elsewhere.
        commit: the commit of the code that made the page; None outside of a git checkout.
    """
    study = results.study
    fits = list(results.fits.values())
    hashes = sorted({str(fit.record["data"]["sha256"]) for fit in fits})
    spread = (
        f"{study.fit.bootstrap} bootstrap replicates, seed {study.fit.seed}"
        if study.fit.laws
        else "Student's t over seeds; with one seed, from the sample of questions"
    )
    pairs = [
        ("Code", commit or "unknown: not a git checkout"),
        ("Versions", _joined(versions(*PACKAGES))),
        ("Errors", ", SHA-256 ".join(["tables/errors.csv", *(digest[:16] for digest in hashes)])),
        ("Sources", "; ".join(map(str, results.errors["source"].dropna().unique())) or "not stated"),
        ("Seeds of cells", ", ".join(map(str, study.seeds))),
        ("Intervals", spread),
    ]
    if study.measured is not None:
        pairs.append(("Measured in", study.measured))
    latency = results.cost.deployment.latency
    if latency is not None:
        pairs.append(
            ("Latency", f"{latency.origin}, measured on {latency.device or 'an unnamed device'}")
        )
    return [*pairs, *training]


def training_facts(runs: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return pairs of a name and a value that summarise training records; empty without records."""
    if not runs:
        return []
    devices: dict[str, None] = {}
    codes: dict[str, None] = {}
    stacks: dict[str, None] = {}
    gpu_s = wall_s = flops = 0.0
    for run in runs:
        device = run.get("device") or {}
        gpus, processes = device.get("gpus") or [], int(device.get("processes") or 1)
        name = f"{processes} x {gpus[0]}" if gpus else f"CPU ({device.get('machine', 'unnamed')})"
        devices[name] = None
        wall = float(run.get("wall_s") or 0.0)
        wall_s += wall
        gpu_s += wall * processes if gpus else 0.0
        flops += float(run.get("training_flops") or 0.0)
        state = run.get("git") or {}
        code = str(state.get("commit") or "no git checkout")
        codes[code[:12] + (" with changes" if state.get("dirty") else "")] = None
        stacks[_joined(run.get("versions") or {})] = None
    spent = f"{gpu_s / 3600:,.1f} GPU-hours" if gpu_s else "no GPU time"
    return [
        ("Trained on", ", ".join(devices)),
        (
            "Training took",
            f"{spent}; {clock(wall_s)} as the sum over {counted(len(runs), 'stage')}; "
            f"{quantity(flops, 'FLOPs')}",
        ),
        ("Training code", ", ".join(codes)),
        ("Training versions", "; ".join(stacks)),
    ]


def recorded_facts(folder: Path) -> list[tuple[str, str]]:
    """Return such pairs for the record in a folder; raise `UserError` if there is none."""
    record = read_record(folder)
    return [("Recorded", f"{record.date}, trained by: {record.command}"), *record.facts]


def _joined(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in found.items())


def citation(commit: str | None, version: str) -> str:
    """Return BibTeX entries of the paper and of this software."""
    note = f"version {version}" + (f", commit {commit}" if commit else "")
    return (
        "@article{li2024inference,\n"
        "  title  = {Inference Optimal {VLMs} Need Fewer Visual Tokens and More Parameters},\n"
        "  author = {Li, Kevin Y. and Goyal, Sachin and Semedo, Joao D. and Kolter, J. Zico},\n"
        "  journal = {International Conference on Learning Representations; arXiv:2411.03312},\n"
        "  year   = {2025},\n"
        "  note   = {Version 1 (2024): Inference Optimal {VLMs} Need Only One Visual Token but Larger "
        "Models}\n"
        "}\n\n"
        "@software{paretoken,\n"
        "  title  = {Paretoken: the {Pareto} frontier of visual tokens against language-model size},\n"
        f"  note   = {{{note}}}\n"
        "}"
    )
