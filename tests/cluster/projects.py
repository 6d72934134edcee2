"""Projects that run on a cluster of the tests, and the drivers that they are run by."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from lab import ROOT, SITE, Lab, wait

#: In the background of a shell Ctrl-C is ignored, and all that is started there inherits that.
INTERRUPTIBLE = ["env", "--default-signal=INT"]


@dataclass
class Driver:
    """A Snakemake that submits to the cluster."""

    process: subprocess.Popen[bytes]
    output: Path
    lab: Lab

    @property
    def said(self) -> str:
        """What it printed so far."""
        return self.output.read_text()

    def end(self, limit_s: float = 480) -> str:
        """Wait for its end; return what it printed (a failure fails the test)."""
        assert self._code(limit_s) == 0, self.said
        return self.said

    def fail(self, limit_s: float = 240) -> str:
        """Wait for its end, which must be a failure; return what it printed."""
        assert self._code(limit_s) != 0, self.said
        return self.said

    def _code(self, limit_s: float) -> int:
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"no end within {limit_s} s:\n{self.said}\n{self.lab.described()}"
            ) from None

    def interrupt(self) -> None:
        """Press Ctrl-C: all processes that the terminal has get the signal."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """Kill -9 it, alone: what it submitted stays."""
        self.process.kill()
        self.process.wait()

    def says(self, text: str, limit_s: float = 240) -> None:
        """Wait until it says something."""
        try:
            wait(lambda: text in self.said, limit_s)
        except AssertionError:
            raise AssertionError(f"it never said {text!r}:\n{self.said}") from None


@dataclass
class Folder:
    """A project with a profile for the cluster: the shipped one, asked more often."""

    path: Path
    lab: Lab

    def write_profile(self, site: dict[str, Any] | None = None, **changes: Any) -> None:
        """Write ``profiles/test`` from the shipped profile."""
        folder = self.path / "profiles" / "test"
        folder.mkdir(parents=True, exist_ok=True)
        content = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())
        content |= {"paretoken-slurm-site": "profiles/test/site.yaml", "paretoken-slurm-poll-seconds": 1,
                    "max-jobs-per-timespan": "20/1s", "latency-wait": 5, **changes}  # fmt: skip
        kept = {key: value for key, value in content.items() if value is not None}
        (folder / "config.yaml").write_text(yaml.safe_dump(kept))
        (folder / "site.yaml").write_text(yaml.safe_dump(SITE | (site or {})))

    def _environment(self, code: Path) -> dict[str, str]:
        own = self.lab.environment | {"PYTHONPATH": str(code)}
        if self.lab.first_on_path is not None:
            own["PATH"] = os.pathsep.join([str(self.lab.first_on_path), own["PATH"]])
        return own

    def status(self, study: str, config: str) -> dict[str, Any]:
        """Return what `paretoken status` says of a study."""
        line = ["paretoken", "status", "--study", study, "--config", config, "--format", "json"]
        done = subprocess.run(
            [sys.executable, "-m", *line],
            cwd=self.path,
            env=self._environment(self.path / "src"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def start(self, *arguments: str, **environment: str) -> Driver:
        """Start Snakemake with the profile."""
        number = len(list(self.path.glob("driver-*.txt")))
        output = self.path / f"driver-{number}.txt"
        own = self.path / "src"
        code = own if own.is_dir() else ROOT / "src"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [*INTERRUPTIBLE, sys.executable, "-m", "snakemake", "--workflow-profile",
                 "profiles/test", *arguments],
                cwd=self.path, env=self._environment(code) | environment,
                stdout=stream, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.lab.drivers.append(process)
        return Driver(process, output, self.lab)
