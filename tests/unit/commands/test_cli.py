"""The command line from end to end: exit codes, messages, files."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys

import pytest

from paretoken.cli import COMMANDS, main
from paretoken.io.text_tables import visual_tokens

FAST = ("--bootstrap", "20")


def table_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def run(capsys):
    """Run a command; return exit code, stdout and stderr."""

    def command(*arguments):
        try:
            code = main([str(a) for a in arguments])
        except SystemExit as stop:  # argparse ends so, and so does --help
            code = stop.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


@pytest.fixture
def fitted(run, tmp_path, published_path):
    out = tmp_path / "fit.json"
    assert (
        run("fit", "--table", published_path, "--suite", "visual_reasoning", *FAST, "--out", out)[0] == 0
    )
    return out


def test_fit_writes_what_it_prints(run, tmp_path, published_path):
    out = tmp_path / "new" / "fit.json"
    code, printed, complaint = run(
        "fit", "--table", published_path, "--suite", "visual_reasoning", *FAST, "--out", out
    )
    assert (code, complaint) == (0, "")
    record = json.loads(out.read_text())
    assert record["data"]["suite"] == "visual_reasoning"
    assert record["n_points"] == 28
    for word in ("Y = K N^-alpha V^-beta + D", "alpha_over_beta", "V* at Q = 50", "0.0709", "warning: "):
        assert word in printed, word
    assert [p.name for p in out.parent.iterdir()] == ["fit.json"]


def test_the_same_command_writes_the_same_bytes(run, tmp_path, published_path):
    contents = []
    for name in ("one.json", "two.json"):
        run(
            "fit",
            "--table",
            published_path,
            "--suite",
            "ocr",
            *FAST,
            "--seed",
            3,
            "--out",
            tmp_path / name,
        )
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    ("options", "key", "value"),
    [
        (["--law", "log_linear"], "law", "log_linear"),
        (["--loss", "huber", "--huber-delta", "1e-2"], "huber_delta", 0.01),
        (["--exclude-flagged"], "n_points", 25),
        (["--holdout-largest"], "n_points", 21),
        (["--holdout-n", "0.5", "7"], "n_points", 14),
        (["--law", "product_q_plus_v", "--law-text-tokens", "7"], "text_tokens_in_law", 7),
        (["--seed", "9"], "seed", 9),
    ],
)
def test_options_reach_the_fit(run, tmp_path, published_path, options, key, value):
    out = tmp_path / "fit.json"
    base = ["fit", "--table", published_path, "--suite", "visual_reasoning", "--out", out]
    assert run(*base, "--bootstrap", 0, *options)[0] == 0
    assert json.loads(out.read_text())[key] == value


def test_any_table_can_be_fitted(run, tmp_path, surfaces, table):
    """Chinchilla-type: N and training tokens, other column names, standard errors."""
    cells = surfaces["chinchilla"].cells()
    path = table(cells, sd=[0.01] * len(cells))
    path.write_text(path.read_text().replace("params_b,visual_tokens,error", "n,d,loss"))
    out = tmp_path / "fit.json"
    code, _, complaint = run(
        "fit", "--table", path, "--law", "additive", "--n-column", "n", "--v-column", "d",
        "--error-column", "loss", "--sigma", "sd", *FAST, "--out", out,
    )  # fmt: skip
    assert (code, complaint) == (0, "")
    truth = surfaces["chinchilla"].parameters
    assert json.loads(out.read_text())["parameters"] == pytest.approx(truth, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--suite", "visual"], "unknown suite 'visual'"),
        ([], "several suites; choose one with --suite"),
        (["--suite", "ocr", "--n-column", "size"], "no column 'size'"),
        (["--suite", "ocr", "--error-column", "note"], "line "),
        (["--suite", "ocr", "--weights", "score", "--sigma", "score"], "not both"),
        (["--suite", "ocr", "--holdout-n", "3"], "cannot hold out N = 3"),
        (["--suite", "ocr", "--where", "llm=qwen"], "no row has llm = 'qwen'"),
        (["--suite", "ocr", "--where", "params_b=7"], "only one level of N"),
        (["--suite", "ocr", "--method", "grid", "--law", "additive"], "product only"),
        (["--suite", "ocr", "--law", "prodct"], "invalid choice: 'prodct'"),
        (["--suite", "ocr", "--bootstrap", "-1"], "'-1' must be 0 or more"),
        (["--suite", "ocr", "--bootstrap", "1.5"], "must be a whole number"),
        (["--suite", "ocr", "--huber-delta", "0"], "must be greater than 0"),
        (["--suite", "ocr", "--huber-delta", "nan"], "is not finite"),
        (["--suite", "ocr", "--where", "llm"], "must be COLUMN=VALUE"),
        (["--suite", "ocr", "--holdout-largest", "--holdout-n", "7"], "not allowed with"),
        (["--suit", "ocr"], "unrecognized arguments"),
    ],
)
def test_bad_input_is_one_message_and_no_file(run, tmp_path, published_path, arguments, words):
    out = tmp_path / "fit.json"
    code, printed, complaint = run("fit", "--table", published_path, *arguments, "--out", out)
    assert code == 2
    assert printed == ""
    assert words in complaint
    assert "Traceback" not in complaint
    assert not out.exists()


def test_a_failed_fit_leaves_the_old_file(run, fitted, published_path):
    before = fitted.read_bytes()
    assert run("fit", "--table", published_path, "--suite", "no", "--out", fitted)[0] == 2
    assert fitted.read_bytes() == before


def test_a_missing_table_is_named(run, tmp_path):
    code, _, complaint = run("fit", "--table", tmp_path / "absent.csv", "--out", tmp_path / "x")
    assert code == 2
    assert complaint.startswith("paretoken fit: ")
    assert "absent.csv" in complaint
    assert complaint.count("\n") == 1


def test_an_output_that_cannot_be_written_is_reported(run, tmp_path, published_path):
    (tmp_path / "file").write_text("")
    code, printed, complaint = run(
        "fit", "--table", published_path, "--suite", "ocr", "--bootstrap", 0,
        "--out", tmp_path / "file" / "fit.json",
    )  # fmt: skip
    assert (code, printed) == (2, "")
    assert "cannot be written" in complaint


def test_frontier_from_a_fit(run, fitted, tmp_path):
    out, pareto, crossing = (tmp_path / f"{n}.csv" for n in ("frontier", "pareto", "crossovers"))
    code, printed, complaint = run(
        "frontier", "--fit", fitted, "--params-b", 4, 7, "--tokens", 1, 16, 576, "--text-tokens", 0, 50,
        "--budget", "1e6", "1e12", "--out", out, "--out-pareto", pareto, "--out-crossovers", crossing,
    )  # fmt: skip
    assert (code, complaint) == (0, "")
    rows = table_of(out)
    assert [row["status"] for row in rows] == ["infeasible", "ok"] * 2
    assert {
        "text_tokens",
        "budget",
        "params_b",
        "visual_tokens",
        "cost",
        "error",
        "on_pareto",
    } <= (set(rows[0]))
    assert rows[0]["params_b"] == "", "no configuration, no number"
    assert all(float(row["cost"]) <= 1e12 for row in rows if row["status"] == "ok")
    assert len(table_of(crossing)) == 2
    assert len(table_of(pareto)) >= 2
    assert "2N(Q + V) (FLOPs); left out: attention" in printed
    assert "2 budgets are below the cost of the cheapest" in printed


def test_frontier_without_budgets_and_sets(run, fitted, tmp_path):
    assert run("frontier", "--fit", fitted, "--out", tmp_path / "f.csv")[0] == 0
    rows = table_of(tmp_path / "f.csv")
    assert {row["text_tokens"] for row in rows} == {"0", "50", "100"}
    assert len(rows) >= 3 * 10


@pytest.mark.parametrize(
    "command",
    [
        ["frontier", "--out", "x.csv"],
        ["recommend", "--budget-flops", "1e12", "--text-tokens", "50"],
    ],
    ids=lambda c: c[0],
)
@pytest.mark.parametrize(
    ("content", "words"), [("{}", "is not a fit"), ("{", "not valid JSON"), (None, "read")]
)
def test_files_that_are_not_fits_are_refused(run, write, tmp_path, monkeypatch, command, content, words):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "absent.json" if content is None else write(content, "fit.json")
    code, printed, complaint = run(*command, "--fit", path)
    assert (code, printed) == (2, "")
    assert words in complaint
    assert not (tmp_path / "x.csv").exists()


def test_inputs_are_never_overwritten(run, fitted, tmp_path, published_path):
    table = tmp_path / "mine.csv"
    table.write_bytes(published_path.read_bytes())
    frontier = ("frontier", "--fit", fitted, "--out")
    twice = tmp_path / "z.csv"
    for arguments, words in (
        (("fit", "--table", table, *FAST, "--suite", "ocr", "--out", table), "overwrite an input"),
        ((*frontier, fitted), "overwrite an input"),
        ((*frontier, twice, "--out-crossovers", fitted), "overwrite an input"),
        ((*frontier, twice, "--out-pareto", twice), "would be written twice"),
    ):
        before = {path: path.read_bytes() for path in (fitted, table)}
        code, printed, complaint = run(*arguments)
        assert (code, printed) == (2, "")
        assert words in complaint
        assert {path: path.read_bytes() for path in before} == before
    assert not twice.exists()


def test_held_out_sizes_are_reported(run, tmp_path, published_path):
    code, printed, _ = run("fit", "--table", published_path, "--suite", "ocr", *FAST, "--holdout-n", 4,
                           "--out", tmp_path / "fit.json")  # fmt: skip
    held = json.loads((tmp_path / "fit.json").read_text())["holdout"]["unseen"]
    assert code == 0
    shown = f"{100 * held['law']['mean_abs_relative_error']:.2f} %"
    assert f"N = 4 held out: mean relative error {shown}" in printed


def test_an_interruption_while_it_starts_is_one_word():
    program = """if True:
        import sys, paretoken.cli as cli
        def build_parser(*arguments, **options):
            raise KeyboardInterrupt
        cli.build_parser = build_parser
        sys.exit(cli.command_line())"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_a_terminal_without_a_character_gets_its_number(write, tmp_path):
    rows = [f"{n},{v},{n**-0.3 * v**-0.1},é✓" for n in (1, 2, 4) for v in (1, 4, 16)]
    table = write("\n".join(["params_b,visual_tokens,error,suite", *rows]), "t.csv")
    command = [sys.executable, "-m", "paretoken"]
    ascii_only = os.environ | {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    fit = ["fit", "--table", str(table), "--suite", "é✓", "--bootstrap", "0", "--out", "f.json"]
    recommend = ["recommend", "--fit", "f.json", "--budget-flops", "1e12", "--text-tokens", "5"]
    assert main([*fit[:-1], str(tmp_path / "f.json")]) == 0
    done = subprocess.run(
        [*command, *recommend], cwd=tmp_path, env=ascii_only, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "law of \\xe9\\u2713" in done.stdout


def test_recommend_as_text_and_as_json(run, fitted):
    arguments = ("recommend", "--fit", fitted, "--budget-flops", "1e12", "--text-tokens", 50)
    code, words, _ = run(*arguments)
    assert code == 0
    code, text, _ = run(*arguments, "--format", "json", "--runners-up", 1)
    answer = json.loads(text)
    best = answer["recommended"]
    (model,) = best["models"]
    assert f"use {best['params_b']:g}B ({model}) with {visual_tokens(best['visual_tokens'])}" in words
    assert len(answer["runners_up"]) == 1
    assert best["cost"] <= 1e12


def test_recommend_below_the_cheapest(run, fitted):
    code, printed, complaint = run("recommend", "--fit", fitted, "--budget-flops", 1, "--text-tokens", 0)
    assert (code, printed) == (2, "")
    assert "the cheapest is 0.5B with 1 visual token at" in complaint


def test_an_unknown_command_is_corrected(run):
    code, _, complaint = run("fitt", "--table", "x")
    assert code == 2
    assert "unknown command 'fitt'" in complaint
    assert "did you mean 'fit'?" in complaint
    assert all(name in complaint for name in COMMANDS)


def test_no_command_and_unknown_options_are_usage_errors(run):
    assert run()[0] == 2
    assert run("--nonsense")[0] == 2
    assert run("fit")[0] == 2


def test_check_accepts_the_shipped_config_and_refuses_another(run, project, write):
    code, printed, _ = run("check", "--config", project / "config.yaml")
    assert code == 0
    assert "published" in printed
    code, _, complaint = run("check", "--config", write("run: [x]\n", "config.yaml"))
    assert code == 2
    assert "llms: is missing" in complaint


@pytest.mark.parametrize(("package", "refused"), [("torch", True), ("no_such_module", False)])
def test_a_missing_training_stack_is_reported_with_its_installation(run, monkeypatch, package, refused):
    def fail(arguments):
        raise ModuleNotFoundError(f"No module named {package!r}", name=f"{package}.nn")

    monkeypatch.setattr("paretoken.commands.selftest.run", fail)
    if not refused:
        with pytest.raises(ModuleNotFoundError):  # a defect, not the user's
            run("selftest")
        return
    code, _, complaint = run("selftest")
    assert code == 2
    assert "torch.nn is not installed" in complaint
    assert "make setup" in complaint


def test_the_module_runs_as_a_program():
    run = subprocess.run(
        [sys.executable, "-m", "paretoken", "fitt"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert "did you mean 'fit'?" in run.stderr


@pytest.mark.parametrize(
    "command", ["features", "tokenize", "predict", "train", "latency", "text-length"]
)
def test_no_command_runs_on_0_threads(command, capsys):
    with pytest.raises(SystemExit) as left:
        main([command, "--threads", "0"])
    assert left.value.code == 2
    assert "argument --threads: '0' must be 1 or more" in capsys.readouterr().err


def test_a_name_that_no_file_can_have_ends_in_no_traceback(run):
    code, _, complaint = run("fetch", "--source", "x" * 500, "--kind", "llm", "--out", "never")
    assert (code, complaint.count("\n")) == (2, 1)
    assert "File name too long" in complaint


@pytest.mark.parametrize("share", ["0", "5e-324", "1.1", "nan"])
def test_a_plan_takes_no_utilisation_that_no_device_has(run, share):
    code, _, complaint = run("plan", "--study", "paper", "--utilisation", share)
    assert code == 2
    assert "--utilisation" in complaint
