"""Rules for tables, fits and pages: their inputs, and the options of their commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from paretoken.config.fields import as_list
from paretoken.config.runs import is_recorded, study_name
from paretoken.plan.from_config import dimensions_file
from paretoken.registry import COMPRESSORS, FIGURES, LAWS
from paretoken.study import paths
from paretoken.study.code_files import sources
from paretoken.study.published import PAPER_GRID, PAPER_LAW
from paretoken.workflow.cell_rules import Cells
from paretoken.workflow.wildcards import Options, Wildcards, given, run_record

#: Figures that compare cost models.
COST_FIGURES = ("optimum_by_cost",)
#: Keys of a study that no figure or table shows, so that a change of them reruns nothing.
NOT_SHOWN = {"figures", "claims", "budget_gpu_hours", "latency", "price_per_hour"}
ORIGIN = {"hub", "revision", "params"}


class Tables(Cells):
    """Inputs of the rules that follow the cells, and options of their commands."""

    def frozen_json(self, wildcards: Wildcards) -> str:
        """Return the study for ``study.json``.

        Figures and claims are left out, so that a new one does not redraw the others. Sources and GPUs
        of models are left out, too, since no figure or table shows them.
        """
        left_out: Any = {
            "study": NOT_SHOWN,
            "llms": {"__all__": ORIGIN | {"gpus", "template"}},
            "vision": ORIGIN,
        }
        return self.frozen(wildcards).model_dump_json(exclude=left_out)

    def suite_names(self, wildcards: Wildcards) -> list[str]:
        """Return the names of the suites."""
        return [suite.name for suite in self.study(wildcards).suites]

    def measured(self, wildcards: Wildcards) -> list[str] | str:
        """Return the table of measured errors, if the study has one."""
        return self.study(wildcards).measured or []

    def measured_options(self, wildcards: Wildcards) -> list[str]:
        """Return the option that names the table of measured errors."""
        return given("--measured", self.study(wildcards).measured)

    def published(self, key: str) -> Callable[[Wildcards], list[str] | str]:
        """Return a function of wildcards for a published table of a study, if it has one."""

        def path(wildcards: Wildcards) -> list[str] | str:
            tables = self.study(wildcards).published
            return (getattr(tables, key) if tables else None) or []

        return path

    def reference_options(self, *keys: str) -> Options:
        """Return a function of wildcards for the options that name the published tables of a study."""

        def options(wildcards: Wildcards) -> list[str]:
            tables = self.study(wildcards).published
            named = [(key, getattr(tables, key)) for key in keys] if tables else []
            return [word for key, path in named for word in given(f"--{key}", path)]

        return options

    def fits(self, wildcards: Wildcards) -> list[str]:
        """Return all fits of a study."""
        study = self.study(wildcards)
        # Trained cells have no flags, so a fit to unflagged cells would be the same.
        rows = ("all", "unflagged") if study.measured else ("all",)
        variants = [f"{law}-{cells}" for law in study.fit.laws for cells in rows]
        variants += [PAPER_GRID] if study.published and variants else []
        folder = paths.results(wildcards.study) / "fits"
        return [str(folder / s.name / f"{v}.json") for s in study.suites for v in variants]

    def headline_fit(self, wildcards: Wildcards) -> str:
        """Return the fit for figures, frontier and claims: the first law, fitted to all cells."""
        law = self.study(wildcards).fit.laws[0]
        folder = paths.results(wildcards.study) / "fits" / wildcards.suite
        return str(folder / f"{law}-all.json")

    def fit_code(self, wildcards: Wildcards) -> list[str]:
        """Return the code files of `paretoken fit`; only the first law is compared with all others."""
        law, first = _law(wildcards), self.study(wildcards).fit.laws[0]
        compared = law == first and wildcards.variant != PAPER_GRID
        modules = LAWS.modules() if compared else [LAWS.module(law)]
        return sources("paretoken.commands.fit", *modules)

    def fit_options(self, wildcards: Wildcards) -> list[str]:
        """Return the options of `paretoken fit` for the study and the wildcard ``variant``."""
        study, frozen = self.study(wildcards), self.frozen(wildcards)
        fit, law = study.fit, _law(wildcards)
        options = ["--law", law, "--loss", fit.loss, *given("--huber-delta", fit.huber_delta)]
        options += ["--bootstrap", str(fit.bootstrap), "--seed", str(fit.seed)]
        options += [
            "--law-text-tokens",
            str(fit.law_text_tokens),
            *given("--text-tokens", study.text_tokens),
        ]
        options += given("--holdout-n", [frozen.params_b(llm) for llm in study.holdout])
        if wildcards.variant == PAPER_GRID:
            return [*options, "--method", "grid"]
        options += ["--exclude-flagged"] if wildcards.variant.endswith("-unflagged") else []
        if law != fit.laws[0]:  # only the first law is constrained, and compared with the others
            return [*options, "--no-comparison"]
        tied = [*(f"--tie={tie}" for tie in fit.tie), *(f"--fix={fix}" for fix in fit.fix)]
        return [*options, *tied, *given("--chance", fit.chance)]

    def law_tables(self, *names: str) -> Options:
        """Return a function of wildcards for tables that only a study with laws has."""

        def found(wildcards: Wildcards) -> list[str]:
            own = names if self.study(wildcards).fit.laws else ()
            return [str(paths.results(wildcards.study) / "tables" / f"{name}.csv") for name in own]

        return found

    def law_table_options(self, *names: str) -> Options:
        """Return a function of wildcards for the options that name these tables."""

        def options(wildcards: Wildcards) -> list[str]:
            found = zip(names, self.law_tables(*names)(wildcards), strict=False)
            return [w for name, path in found for w in (f"--{name.replace('_', '-')}", path)]

        return options

    def code(self, command: str, *modules: str) -> Options:
        """Return a function for the code files of a command, some modules and a study's compressors."""

        def files(wildcards: Wildcards) -> list[str]:
            own = {COMPRESSORS.module(entry.name) for entry in self.study(wildcards).compressors}
            return sources(f"paretoken.commands.{command}", *modules, *sorted(own))

        return files

    def figure_code(self, wildcards: Wildcards) -> list[str]:
        """Return the code files of a figure."""
        figure = FIGURES.module(wildcards.figure)
        return self.code("figure", figure, *LAWS.modules())(wildcards)

    def text_tokens(self, wildcards: Wildcards) -> list[int]:
        """Return the text tokens Q of the frontier."""
        return self.study(wildcards).text_tokens

    def claim_options(self, wildcards: Wildcards) -> list[str]:
        """Return the option that names the claims."""
        return given("--name", self.study(wildcards).claims)

    def figure_options(self, wildcards: Wildcards) -> list[str]:
        """Return the option that names the figures."""
        return given("--figures", self.study(wildcards).figures)

    def shape_files(self, wildcards: Wildcards) -> list[str]:
        """Return the files with a study's dimensions: recipes, fetched models, or a table."""
        frozen = self.frozen(wildcards)
        if frozen.world is not None:
            made = [frozen.vision.make, *(llm.make for llm in frozen.llms)]
            recipes = [frozen.world.recipe, *(make.recipe for make in made if make)]
            return list(dict.fromkeys(recipes))
        table = dimensions_file(frozen.study)
        folders = [paths.llm_folder(frozen, llm, 0) for llm in frozen.study.llms]
        folders.append(paths.vision_folder(frozen, 0))
        here = frozen.fetched and not is_recorded(wildcards.study)
        fetched = map(run_record, folders if here else ())
        return [*([str(table)] if table.exists() else []), *fetched]

    def latency_table(self, wildcards: Wildcards) -> list[str] | str:
        """Return the table of latency that a study names, or that it measures itself, if any."""
        own = str(paths.results(wildcards.study) / "tables" / "costs.csv")
        return self.study(wildcards).latency or (own if self.frozen(wildcards).generated else [])

    def deployment_options(self, wildcards: Wildcards) -> list[str]:
        """Return the options that name dimensions, latency and price."""
        table, price = self.latency_table(wildcards), self.study(wildcards).price_per_hour
        options = ["--shapes", str(paths.results(wildcards.study) / "shapes.json")]
        options += given("--latency", table)
        return options + (given("--price-per-hour", price) if table else [])

    def figure_costs(self, wildcards: Wildcards) -> list[str]:
        """Return the files that a figure needs for costs; most figures use only the paper's cost."""
        if wildcards.figure not in COST_FIGURES:
            return []
        shapes = str(paths.results(wildcards.study) / "shapes.json")
        return [shapes, *as_list(self.latency_table(wildcards))]

    def figure_cost_options(self, wildcards: Wildcards) -> list[str]:
        """Return the options that name these files."""
        drawn = wildcards.figure in COST_FIGURES
        return self.deployment_options(wildcards) if drawn else []

    def figures(self, wildcards: Wildcards) -> list[str]:
        """Return the figures of a study."""
        folder = paths.results(wildcards.study) / "figures"
        return [str(folder / f"{name}.png") for name in self.study(wildcards).figures]

    def report_options(self, wildcards: Wildcards) -> list[str]:
        """Return the options for the figures of a report, and its trained cells or their record."""
        figures = given("--figure-files", self.figures(wildcards))
        if is_recorded(wildcards.study):
            return [*figures, "--record", str(paths.results(wildcards.study))]
        return [*figures, *given("--cells", self.trained_folders(wildcards))]

    def targets(self, name: str) -> list[str]:
        """Return the final files of a study."""
        study, folder = self.config.study(study_name(name)), paths.results(name)
        laws, trained = bool(study.fit.laws), study.training
        found = ["summary.md", "report.html"]
        found += [f"tables/frontier-{suite.name}.csv" for suite in study.suites if laws]
        found += ["methods.md"] if trained and not laws else []
        found += ["text_length.md"] if trained and trained.lengthened else []
        found += [f"figures/{figure}.png" for figure in study.figures]
        found += ["tables/scores.csv", "tables/costs.csv"] if trained else []
        return [str(folder / file) for file in found]


def _law(wildcards: Wildcards) -> str:
    """Return the law of a variant: LAW-all, LAW-unflagged, or the paper's grid."""
    variant = str(wildcards.variant)
    return PAPER_LAW if variant == PAPER_GRID else variant.rpartition("-")[0]
