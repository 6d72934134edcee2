"""The schema of ``fit.json``: its content is validated before it is used.

Only the keys that are read elsewhere are listed here. Draws may hold millions of numbers; they are
checked when they are converted to an array.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from paretoken.config.error_messages import message_for
from paretoken.errors import UserError

#: Largest number of a fit; larger ones overflow in the formulas of laws and figures.
LARGEST = 1e100


def _usual(number: float) -> float:
    if not abs(number) <= LARGEST:
        raise ValueError(f"must be a number of {LARGEST:g} at most")
    return number


Number = Annotated[int | float, AfterValidator(_usual)]
End = Number | None
Ends = Annotated[list[End], Field(min_length=2, max_length=2)]


class _Part(BaseModel):
    """A part of the record; it may hold further keys, and no value is converted to another type."""

    model_config = ConfigDict(extra="allow", strict=True)


class _Interval(_Part):
    low: End = None
    high: End = None
    residual: Ends | None = None
    effects: Ends | None = None
    points: Ends | None = None
    cluster: Ends | None = None


class _Intervals(_Part):
    __pydantic_extra__: dict[str, _Interval | None]
    v_star: dict[str, _Interval | None] = {}


class _Profile(_Part):
    __pydantic_extra__: dict[str, list[End]]
    value: list[Number] = Field(min_length=1)
    objective: list[End]
    threshold: End
    interval: Ends | None
    flat: bool

    @model_validator(mode="after")
    def _as_long(self) -> _Profile:
        columns = [self.objective, *(self.__pydantic_extra__ or {}).values()]
        if any(len(column) != len(self.value) for column in columns):
            raise ValueError("must have the same number of values in each of its lists")
        return self


class _Errors(_Part):
    mean_abs_relative_error: Number
    max_abs_relative_error: Number
    mean_relative_error: Number


class _Cell(_Part):
    n: Number
    v: Number
    measured: Number
    law: End
    last_value: End
    log_linear: End


class _HeldOut(_Part):
    """The prediction of the largest size, without ``cells`` if the others do not determine the law."""

    n: list[Number] = Field(min_length=1)
    law: _Errors | None = None
    last_value: _Errors | None = None
    log_linear: _Errors | None = None
    cells: list[_Cell] = []


class _HoldOuts(_Part):
    leave_largest_n_out: _HeldOut | None = None


class _Levels(_Part):
    N: list[Number] = Field(min_length=1)
    V: list[Number] = Field(min_length=1)


class _Named(_Part):
    studies: list[str] = []
    compressors: list[str] = []
    models: dict[str, list[str]] = {}


class _Columns(_Part):
    Y: str = ""


class _Data(_Part):
    levels: _Levels
    path: str = ""
    columns: _Columns = _Columns()
    named: _Named = _Named()
    sha256: str = ""
    suite: str | None = None
    held_out: list[Number] = []


class _Information(_Part):
    aicc: End
    bic: End


class _Noise(_Part):
    shared: bool
    p_value: End
    own_sd: End
    effect_sd: End


class _Effect(_Part):
    slope: End
    p_value: End
    falls: bool
    rises: bool
    words: str


class _Effects(_Part):
    N: _Effect
    V: _Effect


class _Constraints(_Part):
    tied: Annotated[list[str], Field(min_length=2, max_length=2)] | None = None
    fixed: dict[str, Number] = {}
    chance: End = None
    p_value: End = None


class _LawResult(_Part):
    law: str
    formula: str
    reason: str
    aicc: End
    aicc_difference: End
    weight: End
    rmse: End
    r_squared_of_means: End
    largest_n_out: End
    pattern_p: End
    excluded: bool
    v_star: End
    best: list[list[Number]]


class _Laws(_Part):
    headline: str
    best: str | None
    same_answer: bool | None
    text_tokens: Number
    laws: list[_LawResult]
    words: list[str]


class _Bootstrap(_Part):
    headline: str | None


class _Fit(_Part):
    law: str
    parameters: dict[str, Number]
    constraints: _Constraints | None = None
    data: _Data
    intervals: _Intervals
    rmse: Number
    method: str = ""
    loss: str = ""
    status: str = ""
    warnings: list[str] = []
    cautions: list[str] = []
    text_tokens_in_law: End = None
    alpha_over_beta: End = None
    v_star: dict[str, End] | None = None
    objective: Number = 0.0
    r_squared_of_means: End = None
    n_points: int = 0
    bootstrap: _Bootstrap = _Bootstrap(headline=None)
    noise: _Noise | None = None
    effects: _Effects | None = None
    possible_errors: Ends = [None, None]
    laws: _Laws | None = None
    profile: dict[str, _Profile] = {}
    holdout: _HoldOuts = _HoldOuts()
    information: _Information = _Information(aicc=None, bic=None)


#: Keys that predictions need; `paretoken fit` always writes them.
REQUIRED = ("law", "parameters", "data", "draws", "noise_draws", "intervals", "rmse")
WHOLE = (*_Fit.model_fields, "draws", "noise_draws")


def require_fit(record: Any, origin: str, whole: bool = False) -> None:
    """Check the content of a file that should be ``fit.json``.

    Args:
        record: the parsed JSON.
        origin: its name in messages.
        whole: whether all keys are required, not only those that predictions need.

    Raises:
        UserError: it is not a fit, or a key is missing or has an invalid value.
    """
    advice = "make it with `paretoken fit`"
    if not isinstance(record, dict):
        raise UserError(f"{origin} is not a fit; {advice}")
    missing = [key for key in (WHOLE if whole else REQUIRED) if key not in record]
    if missing:
        raise UserError(f"{origin} is not a fit: it lacks {', '.join(missing)}; {advice}")
    try:
        _Fit.model_validate(record)
    except (ValidationError, OverflowError, RecursionError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        place = ".".join(map(str, first["loc"])) if first else "a number"
        what = message_for(first) if first else "too large"
        raise UserError(f"{origin} is a damaged fit ({place}: {what}); {advice}") from error
