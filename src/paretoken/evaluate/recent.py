"""A cache of the values that were used last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Values by name, of which only those that were used last are kept.

    Args:
        room: number of values that are kept between two calls.

    Attributes:
        made: number of values that were made so far.
    """

    def __init__(self, room: int) -> None:
        self.room, self.made = room, 0
        self._kept: OrderedDict[str, T] = OrderedDict()

    def get(self, names: Iterable[str], make: Callable[[list[str]], Iterable[T]]) -> dict[str, T]:
        """Return a value for each name, all of them even beyond ``room``.

        Args:
            names: the names; the last ones count as used last.
            make: makes the values of names that are not kept, in their order; not called without any.
        """
        unique = list(dict.fromkeys(names))
        missing = [name for name in unique if name not in self._kept]
        new = dict(zip(missing, make(missing), strict=True)) if missing else {}
        self.made += len(new)
        found = {name: new[name] if name in new else self._kept[name] for name in unique}
        for name, value in found.items():
            self._kept[name] = value
            self._kept.move_to_end(name)
        while len(self._kept) > self.room:
            self._kept.popitem(last=False)
        return found

    def forget(self) -> None:
        """Remove all values."""
        self._kept.clear()
