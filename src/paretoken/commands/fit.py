"""`paretoken fit`: fit a scaling law to a table of errors."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from paretoken.analysis.cells import CellData, Selection, read_cells
from paretoken.analysis.fit import FitOptions, fit_record
from paretoken.analysis.fit_words import in_words
from paretoken.analysis.losses import HUBER_DELTA, LOSSES
from paretoken.commands.arguments import (
    assignment,
    positive,
    replicates,
    require_own_outputs,
    seed,
    text_tokens,
)
from paretoken.config.constraints import Constraints, read_constraints
from paretoken.errors import UserError
from paretoken.io.escape import terminal
from paretoken.io.files import require_writable, write_json
from paretoken.registry import LAWS

#: Unit of sizes in a table -> billions of parameters.
UNITS = {"billions": 1.0, "millions": 1e-3, "parameters": 1e-9}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    _add_data_arguments(parser)
    _add_law_arguments(parser)
    _add_uncertainty_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="fit.json to write")


def _add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the data: a table, its columns, and the selection of rows."""
    data, defaults = parser.add_argument_group("data"), Selection()
    data.add_argument("--table", type=Path, required=True, help="CSV, one row per measured cell")
    data.add_argument("--suite", help="fit the rows of this suite only")
    data.add_argument(
        "--where",
        type=assignment,
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="fit the rows with this value only; may be repeated",
    )
    data.add_argument("--n-column", default=defaults.n_column, help="model size N")
    data.add_argument(
        "--n-unit", choices=list(UNITS), default="billions", help="unit of the sizes in the table"
    )
    data.add_argument("--v-column", default=defaults.v_column, help="visual tokens V")
    data.add_argument("--error-column", default=defaults.error_column, help="error Y")
    data.add_argument("--suite-column", default=defaults.suite_column, help="name of the suite")
    data.add_argument(
        "--flag-column", default=defaults.flag_column, help="reason why a row is suspicious"
    )
    data.add_argument("--weights", metavar="COLUMN", help="weight of each row's loss, 0 or more")
    data.add_argument("--sigma", metavar="COLUMN", help="standard error; weights are 1 / sigma^2")
    data.add_argument("--exclude-flagged", action="store_true", help="leave flagged rows out")
    held = data.add_mutually_exclusive_group()
    held.add_argument(
        "--holdout-largest",
        action="store_true",
        help="keep the largest N out of the fit and report how well it is predicted",
    )
    held.add_argument(
        "--holdout-n",
        type=positive,
        nargs="+",
        default=[],
        metavar="N",
        help="keep these sizes out instead",
    )


def _add_law_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the law, constraints on its parameters, and the method of the fit."""
    law, defaults = parser.add_argument_group("law and loss"), FitOptions()
    law.add_argument("--law", choices=list(LAWS), default=defaults.law, help="scaling law to fit")
    law.add_argument(
        "--law-text-tokens",
        type=text_tokens,
        default=float(defaults.law_text_tokens),
        metavar="Q",
        help="Q inside the error, for product_q_plus_v",
    )
    law.add_argument(
        "--loss",
        choices=LOSSES,
        default=defaults.loss,
        help="loss on errors, or (log_) on their logarithms",
    )
    law.add_argument(
        "--huber-delta",
        type=positive,
        metavar="X",
        help=f"residual from which a Huber loss is linear, in its unit; without it {HUBER_DELTA:g}",
    )
    law.add_argument(
        "--tie",
        action="append",
        default=[],
        metavar="NAME=NAME",
        help="fit two exponents (or slopes) as one: alpha=beta",
    )
    law.add_argument(
        "--fix",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="fix an exponent, a slope or the floor: D=0, alpha=0.077; may be repeated",
    )
    law.add_argument(
        "--chance",
        type=positive,
        metavar="C",
        help="error of guessing, the maximum of the product laws (0.75 with four choices)",
    )
    law.add_argument(
        "--losses",
        action="store_true",
        help="errors can exceed 1, even if none in the table does (otherwise they are treated as "
        "shares, and intervals end at 0 and 1)",
    )
    law.add_argument(
        "--no-comparison",
        action="store_true",
        help="do not fit the other laws to compare them with this one",
    )
    law.add_argument(
        "--method",
        choices=("exact", "grid"),
        default=defaults.method,
        help="grid: the paper's search over 5 million points, in full",
    )


def _add_uncertainty_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the bootstrap, and the question lengths for which V* is reported."""
    uncertainty, defaults = parser.add_argument_group("uncertainty"), FitOptions()
    uncertainty.add_argument(
        "--bootstrap",
        type=replicates,
        default=defaults.bootstrap,
        metavar="R",
        help="replicates of each of three resampling methods; 0 for none",
    )
    uncertainty.add_argument(
        "--seed",
        type=seed,
        default=defaults.seed,
        metavar="S",
        help="random seed of the bootstrap",
    )
    uncertainty.add_argument(
        "--text-tokens",
        type=text_tokens,
        nargs="+",
        default=list(defaults.text_tokens),
        metavar="Q",
        help="text tokens per question, for which the best V is reported",
    )


def run(arguments: argparse.Namespace) -> None:
    """Fit the law, write ``fit.json`` and print the main results."""
    a = arguments
    if a.exclude_flagged and a.flag_column is None:
        raise UserError("--exclude-flagged needs a flag column; give --flag-column")
    if a.huber_delta is not None and "huber" not in a.loss:
        raise UserError(
            f"--huber-delta has no effect on the loss {a.loss}; leave it out, or give --loss huber"
        )
    constraints = read_constraints(a.law, a.tie, a.fix, a.chance)
    require_own_outputs([a.out], [a.table])
    data = read_cells(a.table, _selection(a))
    options = _options(a, data, constraints)
    require_writable(a.out)
    record = fit_record(data, options)
    write_json(a.out, record)
    print(terminal(in_words(record)))


def _selection(a: argparse.Namespace) -> Selection:
    return Selection(
        suite=a.suite,
        where=dict(a.where),
        n_column=a.n_column,
        n_scale=UNITS[a.n_unit],
        v_column=a.v_column,
        error_column=a.error_column,
        suite_column=a.suite_column,
        flag_column=a.flag_column,
        weights=a.weights,
        sigma=a.sigma,
        exclude_flagged=a.exclude_flagged,
        zero_tokens_allowed=LAWS.load(a.law).text_in_error and a.law_text_tokens > 0,
    )


def _options(a: argparse.Namespace, data: CellData, constraints: Constraints) -> FitOptions:
    return FitOptions(
        law=a.law,
        loss=a.loss,
        huber_delta=HUBER_DELTA if a.huber_delta is None else a.huber_delta,
        method=a.method,
        bootstrap=a.bootstrap,
        seed=a.seed,
        text_tokens=tuple(a.text_tokens),
        law_text_tokens=a.law_text_tokens,
        held_out=_held_out(data, a),
        constraints=constraints,
        compare=not a.no_comparison,
        losses=a.losses,
    )


def _held_out(data: CellData, a: argparse.Namespace) -> tuple[float, ...]:
    if a.holdout_largest:
        return (float(np.max(data.cells.N)),)
    return tuple(a.holdout_n)
