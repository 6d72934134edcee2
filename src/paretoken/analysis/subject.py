"""The subject of a fit: its models, its study, and what its errors measure."""

from __future__ import annotations

from typing import Any

from paretoken.analysis.fitted_law import FittedLaw
from paretoken.config.study import FrozenStudy


def subject(fit: FittedLaw, study: FrozenStudy | None = None) -> dict[str, Any]:
    """Return the known names and the errors of the cells of a fit.

    Args:
        fit: the fit, with the names of its table.
        study: the study that it belongs to, if known.

    Returns:
        ``studies`` and ``compressors`` by name; ``errors``, what the errors measure, in words.
    """
    data = fit.record["data"]
    named = data.get("named") or {}
    return {
        "studies": list(named.get("studies") or ([study.study.name] if study else [])),
        "compressors": list(named.get("compressors") or []),
        "errors": _errors(data, study),
    }


def _errors(data: dict[str, Any], study: FrozenStudy | None) -> str:
    suite = next((s for s in study.study.suites if s.name == data.get("suite")), None) if study else None
    if suite is not None:
        of = f" ({', '.join(suite.benchmarks)})" if suite.benchmarks else ""
        return f"{suite.title}{of}"
    column = (data.get("columns") or {}).get("Y") or "error"
    rows = f", suite {data['suite']}" if data.get("suite") else ""
    return f"column {column} of {data.get('path') or 'its table'}{rows}"


def in_words(of: dict[str, Any]) -> str:
    """Return the result of `subject` as one or two sentences."""
    study = f" of study {', '.join(of['studies'])}" if of["studies"] else ""
    made = f" Visual tokens are made by {', '.join(of['compressors'])}." if of["compressors"] else ""
    return f"The error is that of {of['errors']}{study}.{made}"


def models_of(fit: FittedLaw, N: float) -> list[str]:
    """Return the names of the language models of a size, as the fitted table has them."""
    models = (fit.record["data"].get("named") or {}).get("models") or {}
    return list(models.get(f"{N:g}", []))
