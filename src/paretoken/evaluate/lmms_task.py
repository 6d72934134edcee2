"""One task of lmms-eval, asked of a trained model in this process."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from paretoken.errors import UserError
from paretoken.evaluate.lmms_plugin import MODEL_ID
from paretoken.evaluate.lmms_score import as_score, choose_metric

INSTALL = "pip install -e '.[train,lmms]' -c constraints.txt; pip install --no-deps lmms-eval==0.7.3"

#: Resamples for the few metrics whose standard error lmms-eval finds so.
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
    """Return the score file of a task; what is wrong with its metrics is said before it is asked.

    Args:
        model_folder: the folder ``model`` that `paretoken train` wrote.
        task: its name in lmms-eval.
        name: of the benchmark; None: the task's.
        metric: which of its metrics is the score; may be None if there is one only.
        maximum: what the metric can reach.
        include: a folder with task files besides lmms-eval's own.
        limit: ask so many rows only.
        batch: questions at a time.
        tokens: V, for a model that was trained once for every V.

    Raises:
        UserError: lmms-eval or something that the task needs is not installed, there is no such
            task, or its score cannot be used.
    """
    if find_spec("lmms_eval") is None:
        raise UserError(f"lmms-eval is not installed; {INSTALL} (see docs/lmms_eval.md)")
    try:
        from lmms_eval.evaluator import simple_evaluate
        from lmms_eval.models import get_model, list_available_models
        from lmms_eval.tasks import TaskManager
    except ModuleNotFoundError as error:
        raise UserError(f"lmms-eval lacks {error.name}; {INSTALL} (see docs/lmms_eval.md)") from error
    if MODEL_ID not in list_available_models():
        raise UserError("lmms-eval does not know this project; pip install -e . --no-deps")
    found = _load(TaskManager("ERROR", None if include is None else str(include)), task)
    chosen = choose_metric(task, list(found.aggregation()), metric)
    model = get_model(MODEL_ID)(pretrained=str(model_folder), batch_size=batch, tokens=tokens)
    content = simple_evaluate(model=model, tasks=[found], limit=limit, bootstrap_iters=BOOTSTRAP)
    return as_score(
        name or task, task, chosen, maximum, content["results"][task], content["samples"][task]
    )


def _load(manager: Any, name: str) -> Any:
    """Return a single task with its rows."""
    from lmms_eval.api.task import Task
    from lmms_eval.tasks import get_task_dict

    if name not in manager.all_tasks:
        raise UserError(f"{name!r} is no task of lmms-eval; `python -m lmms_eval tasks` lists them")
    try:
        task = get_task_dict([name], manager, "simple").get(name)
    except ModuleNotFoundError as error:
        raise UserError(f"task {name} needs {error.name}: pip install {error.name}") from error
    if not isinstance(task, Task):
        raise UserError(f"{name} is a group of tasks; name one of its tasks")
    return task
