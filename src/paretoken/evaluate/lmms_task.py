"""Running one task of lmms-eval on a trained model, in this process."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from paretoken.errors import UserError
from paretoken.evaluate.lmms_plugin import MODEL_ID
from paretoken.evaluate.lmms_score import as_score, choose_metric

INSTALL = "pip install -e '.[train,lmms]' -c constraints.txt; pip install --no-deps lmms-eval==0.7.3"

#: Bootstrap resamples for the metrics whose standard error lmms-eval estimates by the bootstrap.
BOOTSTRAP = 1000


def score_task(
    model_folder: Path,
    task: str,
    *,
    name: str | None = None,
    metric: str | None = None,
    maximum: float = 1.0,
    include: Path | None = None,
    limit: int | None = None,
    batch: int = 16,
    tokens: int | None = None,
) -> dict[str, Any]:
    """Return the score file of a task; its metrics are checked before the model answers.

    Args:
        model_folder: the folder ``model`` that `paretoken train` wrote.
        task: name of the task in lmms-eval.
        name: name of the benchmark; None: the task's.
        metric: the metric that is the score; None: the only one.
        maximum: largest value of the metric.
        include: a folder with further task files.
        limit: most rows; None: all.
        batch: questions at a time.
        tokens: V, for an elastic model; None: that of its training.

    Raises:
        UserError: lmms-eval or a package that the task needs is not installed, the task does not
            exist, or its score cannot be used.
    """
    if find_spec("lmms_eval") is None:
        raise UserError(f"lmms-eval is not installed; {INSTALL} (see docs/lmms_eval.md)")
    try:
        from lmms_eval.evaluator import simple_evaluate
        from lmms_eval.models import get_model, list_available_models
        from lmms_eval.tasks import TaskManager
    except ModuleNotFoundError as error:
        raise UserError(
            f"lmms-eval needs the package {error.name}; {INSTALL} (see docs/lmms_eval.md)"
        ) from error
    if MODEL_ID not in list_available_models():
        raise UserError(
            "this project is not registered with lmms-eval; run `pip install -e . --no-deps`"
        )
    found = _load(TaskManager("ERROR", None if include is None else str(include)), task)
    chosen = choose_metric(task, list(found.aggregation()), metric)
    model = get_model(MODEL_ID)(pretrained=str(model_folder), batch_size=batch, tokens=tokens)
    content = simple_evaluate(model=model, tasks=[found], limit=limit, bootstrap_iters=BOOTSTRAP)
    return as_score(
        name or task, task, chosen, maximum, content["results"][task], content["samples"][task]
    )


def _load(manager: Any, name: str) -> Any:
    """Return the task of a name, with its rows."""
    from lmms_eval.api.task import Task
    from lmms_eval.tasks import get_task_dict

    if name not in manager.all_tasks:
        raise UserError(f"{name!r} is not a task of lmms-eval; `python -m lmms_eval tasks` lists them")
    try:
        task = get_task_dict([name], manager, "simple").get(name)
    except ModuleNotFoundError as error:
        raise UserError(f"task {name} needs {error.name}: pip install {error.name}") from error
    if not isinstance(task, Task):
        raise UserError(f"{name} is a group of tasks; choose one of its tasks")
    return task
