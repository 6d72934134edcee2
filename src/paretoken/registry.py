"""Registries of the names in ``config.yaml``: one explicit table per kind of component.

A table maps a name to ``module:attribute`` as text, so that the Snakefile and the config can check
names without importing numpy, matplotlib or torch. Nothing is discovered by scanning folders.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from importlib import import_module
from itertools import islice
from typing import Any

from paretoken.errors import UserError
from paretoken.io.escape import LONGEST_VALUE, shown


def imported(target: str) -> Any:
    """Import and return the object at ``module:attribute``."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


class Registry:
    """The registered names of one kind of component, and where each is defined.

    Args:
        kind: what an entry is called in messages, for example ``law``.
        entries: pairs of name and ``module:attribute``.

    Raises:
        ValueError: a name is registered twice.
    """

    def __init__(self, kind: str, *entries: tuple[str, str]) -> None:
        self.kind = kind
        self._targets = dict(entries)
        if len(self._targets) != len(entries):
            names = [name for name, _ in entries]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"registered twice as a {kind}: {', '.join(twice)}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __contains__(self, name: object) -> bool:
        return name in self._targets

    def check(self, name: str) -> str:
        """Return ``name`` if it is registered; otherwise raise `UserError` with the valid names."""
        if name in self._targets:
            return name
        raise UserError(unknown_name(self.kind, name, self._targets))

    def load(self, name: str) -> Any:
        """Import and return the object called ``name`` (`UserError` if it is not registered)."""
        return imported(self._targets[self.check(name)])

    def module(self, name: str) -> str:
        """Return the dotted module that defines ``name``."""
        return self._targets[self.check(name)].partition(":")[0]

    def modules(self) -> list[str]:
        """Return the dotted modules of all entries, each once, sorted."""
        return sorted({self.module(name) for name in self})


#: The largest number of valid names that a message lists, and that are compared with an unknown one.
MOST_NAMES = 100


def listed(names: Collection[str], comma: str = ", ") -> str:
    """Return names as one text; of very many, only the first ones and their number."""
    more = f", ... ({len(names):,} in all)" if len(names) > MOST_NAMES else ""
    return comma.join(name[:LONGEST_VALUE] for name in islice(names, MOST_NAMES)) + more


def unknown_name(kind: str, name: object, allowed: Iterator[str] | Any) -> str:
    """Return a message that ``name`` is unknown, with the valid names and the closest match."""
    names = list(allowed)
    asked = name[:LONGEST_VALUE] if isinstance(name, str) else shown(name)
    close = get_close_matches(asked, names[:MOST_NAMES], n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"unknown {kind} {shown(name)}; write one of: {listed(names) or '(none defined)'}{hint}"


#: Specifications of compressors; each names the PyTorch module that implements it.
COMPRESSORS = Registry(
    "compressor",
    ("none", "paretoken.compressors.none:NONE"),
    ("tokenpacker", "paretoken.compressors.tokenpacker:TOKENPACKER"),
    ("tokenpacker_antialiased", "paretoken.compressors.tokenpacker:ANTIALIASED"),
    ("tokenpacker_pooled", "paretoken.compressors.tokenpacker:POOLED"),
    ("quecc", "paretoken.compressors.quecc:QUECC"),
    ("average_pool", "paretoken.compressors.average_pool:AVERAGE_POOL"),
    ("matryoshka_pooling", "paretoken.compressors.matryoshka_pooling:MATRYOSHKA_POOLING"),
    ("matryoshka_query", "paretoken.compressors.matryoshka_query:MATRYOSHKA_QUERY"),
    ("prumerge", "paretoken.compressors.prumerge:PRUMERGE"),
    ("prumerge_plus", "paretoken.compressors.prumerge:PRUMERGE_PLUS"),
    ("random", "paretoken.compressors.random_patches:RANDOM"),
    ("downsample", "paretoken.compressors.downsample:DOWNSAMPLE"),
    ("repeat", "paretoken.compressors.repeat:REPEAT"),
)

#: Chat templates other than the tokenizer's own (``chat``) and none at all (``plain``, ``plain_llava``).
TEMPLATES = Registry(
    "template",
    ("qwen_1_5", "paretoken.data.templates:CHATML"),
    ("chatml", "paretoken.data.templates:CHATML"),
    ("vicuna_v1", "paretoken.data.templates:VICUNA_V1"),
)

BENCHMARKS = Registry(
    "benchmark",
    ("exact_match", "paretoken.evaluate.benchmarks.exact_match:EXACT_MATCH"),
    ("world", "paretoken.evaluate.benchmarks.world:WORLD"),
    ("mme", "paretoken.evaluate.benchmarks.mme:MME"),
    ("gqa", "paretoken.evaluate.benchmarks.gqa:GQA"),
    ("ai2d", "paretoken.evaluate.benchmarks.ai2d:AI2D"),
    ("mmbench", "paretoken.evaluate.benchmarks.mmbench:MMBENCH"),
    ("mmmu", "paretoken.evaluate.benchmarks.mmmu:MMMU"),
    ("scienceqa", "paretoken.evaluate.benchmarks.scienceqa:SCIENCEQA"),
    ("mathvista", "paretoken.evaluate.benchmarks.mathvista:MATHVISTA"),
    ("pope", "paretoken.evaluate.benchmarks.pope:POPE"),
    ("chartqa", "paretoken.evaluate.benchmarks.chartqa:CHARTQA"),
    ("docvqa", "paretoken.evaluate.benchmarks.docvqa:DOCVQA"),
    ("textvqa", "paretoken.evaluate.benchmarks.textvqa:TEXTVQA"),
    ("vizwiz", "paretoken.evaluate.benchmarks.vizwiz:VIZWIZ"),
    ("vqav2", "paretoken.evaluate.benchmarks.vqav2:VQAV2"),
)

LAWS = Registry(
    "law",
    ("product", "paretoken.analysis.laws.product:PRODUCT"),
    ("product_zero_d", "paretoken.analysis.laws.product:PRODUCT_ZERO_D"),
    ("product_q_plus_v", "paretoken.analysis.laws.product:PRODUCT_Q_PLUS_V"),
    ("log_linear", "paretoken.analysis.laws.log_linear:LOG_LINEAR"),
    ("additive", "paretoken.analysis.laws.additive:ADDITIVE"),
    ("constant", "paretoken.analysis.laws.constant:CONSTANT"),
)

COST_MODELS = Registry(
    "cost model",
    ("flops_2nt", "paretoken.costs.models.flops:FLOPS_2NT"),
    ("flops_exact", "paretoken.costs.models.flops:FLOPS_EXACT"),
    ("memory", "paretoken.costs.models.memory:MEMORY"),
    ("latency", "paretoken.costs.models.on_device:LATENCY"),
    ("energy", "paretoken.costs.models.on_device:ENERGY"),
    ("price", "paretoken.costs.models.on_device:PRICE"),
)

FIGURES = Registry(
    "figure",
    ("fig1a", "paretoken.figures.cost_curves:FIG1A"),
    ("fig1b", "paretoken.figures.cost_curves:FIG1B"),
    ("fig2", "paretoken.figures.extrapolation:FIG2"),
    ("fig3a", "paretoken.figures.crossover:FIG3A"),
    ("fig3b", "paretoken.figures.cost_curves:FIG3B"),
    ("fig4", "paretoken.figures.equal_cost_pairs:FIG4"),
    ("optimal_tokens", "paretoken.figures.optimal_tokens:OPTIMAL_TOKENS"),
    ("optimum_by_cost", "paretoken.figures.optimum_by_cost:OPTIMUM_BY_COST"),
    ("profile", "paretoken.figures.profile:PROFILE"),
    ("residuals", "paretoken.figures.residuals:RESIDUALS"),
    ("parameters", "paretoken.figures.parameters:PARAMETERS"),
    ("methods", "paretoken.figures.method_curves:METHODS"),
)

CLAIMS = Registry(
    "claim",
    ("five_times_faster", "paretoken.analysis.claims.exponents:FIVE_TIMES_FASTER"),
    ("visual_alpha", "paretoken.analysis.claims.exponents:VISUAL_ALPHA"),
    ("visual_beta", "paretoken.analysis.claims.exponents:VISUAL_BETA"),
    ("grid_optimum", "paretoken.analysis.claims.exponents:GRID_OPTIMUM"),
    ("largest_within_two_percent", "paretoken.analysis.claims.law_quality:WITHIN_TWO_PERCENT"),
    ("one_token_without_text", "paretoken.analysis.claims.best_token_count:ONE_TOKEN"),
    ("sixteen_tokens_at_fifty", "paretoken.analysis.claims.best_token_count:SIXTEEN_TOKENS"),
    ("log_linear_in_tokens", "paretoken.analysis.claims.law_quality:LOG_LINEAR_IN_TOKENS"),
    ("ocr_reverses", "paretoken.analysis.claims.exponents:OCR_REVERSES"),
    ("ocr_alpha", "paretoken.analysis.claims.exponents:OCR_ALPHA"),
    ("ocr_beta", "paretoken.analysis.claims.exponents:OCR_BETA"),
    ("gap_mme_1", "paretoken.analysis.claims.table1:GAP_MME_1"),
    ("gap_mmb_1", "paretoken.analysis.claims.table1:GAP_MMB_1"),
    ("gap_mme_4", "paretoken.analysis.claims.table1:GAP_MME_4"),
    ("gap_mmb_4", "paretoken.analysis.claims.table1:GAP_MMB_4"),
    ("quecc_beats_tokenpacker_1", "paretoken.analysis.claims.compression:QUECC_1"),
    ("quecc_beats_tokenpacker_4", "paretoken.analysis.claims.compression:QUECC_4"),
    ("optimal_tokens_grow_with_text", "paretoken.analysis.claims.best_token_count:GROWS_WITH_TEXT"),
    ("repetition_gains_nothing", "paretoken.analysis.claims.compression:REPETITION"),
)
