"""Reading model directories, with errors that say what is wrong with which directory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from paretoken.errors import UserError
from paretoken.io.files import sha256
from paretoken.io.folders import replacing_folder
from paretoken.io.text_tables import counted
from paretoken.model_files.known_hashes import file_hashes
from paretoken.model_files.library_errors import explained
from paretoken.model_files.model_json import require_usual_model
from paretoken.model_files.weight_files import (
    loaded_files,
    open_safetensors,
    require_short_header,
    stored_parameters,
)

#: Parameters that a model may have whatever its files hold: 40 MB.
FEW_PARAMETERS = 10_000_000


def load_pretrained(auto_class: Any, folder: Path, **options: Any) -> Any:
    """Call ``auto_class.from_pretrained`` on a local directory; code that comes with it is never run.

    Raises:
        UserError: the directory does not exist, its configuration is not that of a usual model (see
            `paretoken.model_files.model_json`), or its configuration or weights cannot be read.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a directory; expected a model as `save_pretrained` writes it")
    require_usual_model(folder)
    for path in folder.glob("*.safetensors"):
        require_short_header(path)
    with explained(f"{folder} cannot be loaded"):
        return auto_class.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, **options
        )


def load_weights(auto_class: Any, folder: Path, **options: Any) -> Any:
    """Call ``from_pretrained`` for a model and require that each of its weights was in the files.

    `transformers` itself only warns about missing weights, and allocates and initializes them. Therefore
    the number of weights in the files is checked first.

    Raises:
        UserError: the directory cannot be loaded, or its files lack weights of the model.
    """
    require_weights(auto_class, folder, options.get("config"))
    model, found = load_pretrained(auto_class, folder, output_loading_info=True, **options)
    lacking = sorted({*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])})
    if lacking:
        raise UserError(
            f"the weights in {folder} do not fit its config.json: {lacking[0]} and {len(lacking) - 1} "
            "more are missing or have another shape; fetch the model again"
        )
    return model


def require_weights(auto_class: Any, folder: Path, config: Any = None) -> None:
    """Require that a directory's weight files hold about as many numbers as the model has parameters.

    Where only a few are missing, `load_weights` names them afterwards.

    Args:
        auto_class: what will load it.
        folder: the directory.
        config: the model's configuration; None: the directory's own.

    Raises:
        UserError: they hold less than half, or one of the files is damaged.
    """
    if config is None:
        from transformers import AutoConfig

        config = load_pretrained(AutoConfig, folder)
    described = count_parameters(auto_class, config, folder)
    stored = stored_parameters(folder, loaded_files(folder))
    if described > FEW_PARAMETERS and stored < described / 2:
        raise UserError(
            f"the weights in {folder} do not fit its config.json: they hold "
            f"{counted(stored, 'number', form=',')}, it "
            f"describes {described:,} parameters; fetch the model again"
        )


def count_parameters(auto_class: Any, config: Any, folder: Path) -> int:
    """Return the number of parameters of a model, without allocating them; tied ones count once.

    Args:
        auto_class: a class of models, or one that chooses among them (`AutoModel`).
        config: the model's configuration.
        folder: where it is from, for messages.

    Raises:
        UserError: its dimensions are inconsistent, or `transformers` does not support such a model
            without running its repository's code.
    """
    import torch

    made = deepcopy(config)  # a constructor may change it
    try:
        with torch.device("meta"):
            model = (
                auto_class.from_config(made, trust_remote_code=False)
                if hasattr(auto_class, "from_config")
                else auto_class(made)
            )
    except Exception as error:  # constructors raise anything for inconsistent dimensions
        raise UserError(
            f"{folder}: a model of type {config.model_type!r} cannot be built: {error}"
        ) from error
    model.tie_weights()
    return sum(parameter.numel() for parameter in model.parameters())


@contextmanager
def saving(path: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes ``path``, as `replacing_folder` does, for weights.

    Raises:
        UserError: the folder cannot be written, or the disk is full (safetensors has an error of
            its own for that, which is not an `OSError`).
    """
    with replacing_folder(path) as folder:
        try:
            yield folder
        except SafetensorError as error:
            raise UserError(f"{path} cannot be written: {error}") from error


def read_tensors(path: Path) -> dict[str, Any]:
    """Return the tensors of a safetensors file, on the CPU.

    Raises:
        UserError: the file is missing, truncated or not a safetensors file.
    """
    with open_safetensors(path) as stream:
        return {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118


def weights_hash(folder: Path) -> str:
    """Return a hash of the weights and the configuration of a model directory.

    Files of weights are hashed once, see `paretoken.model_files.known_hashes`.

    Raises:
        UserError: the directory holds no weights, or a file cannot be read.
    """
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")])
    if not files:
        raise UserError(f"{folder} holds no weights (*.safetensors); train or download the model")
    weights = file_hashes(folder, [path.name for path in files])
    return combined_hash([*weights, sha256(folder / "config.json")])


def combined_hash(parts: Iterable[str]) -> str:
    """Return one hash of several texts, in their order."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
