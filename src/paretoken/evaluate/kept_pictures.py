"""What a model makes of each picture, kept in memory between the batches of a run.

Benchmarks ask many questions about one picture (GQA: 12,578 about 398), which are of different lengths
and thus in different batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from paretoken.compressors.specification import specification
from paretoken.data.collation import VisualStore
from paretoken.evaluate.recent import Recent
from paretoken.io.bounded import MIB
from paretoken.models.vlm import ParetokenModel

#: Most bytes that are kept. With V = 576 and a width of 4,096, the tokens of a picture are 4.5 MiB in
#: bf16: the 398 pictures of GQA are kept at once (1.7 GiB); 25,000 pictures would be 110 GiB.
MOST_BYTES = 2048 * MIB


class KeptPictures:
    """The visual tokens of pictures, each made once while it is kept.

    If the compressor reads the question, a picture has no tokens of its own, and the encoder's features
    are kept instead. They are kept in the memory of the host, where a job has more room.

    Args:
        model: the model, with V > 0.
        visual: store of features or pixels.
        adaptive: whether each picture has its own number of tokens.
    """

    def __init__(self, model: ParetokenModel, visual: VisualStore, adaptive: bool = False) -> None:
        self.model, self.visual, self.adaptive = model, visual, adaptive
        self.asked = specification(model.config.compressor).reads_text
        self._recent: Recent[Tensor] = Recent(self._room())

    @property
    def room(self) -> int:
        """The number of pictures that are kept; 0: none, since stored features are only read."""
        return self._recent.room

    @property
    def made(self) -> int:
        """How often the tokens (or features) of a picture were made so far."""
        return self._recent.made

    def get(self, names: Sequence[str]) -> dict[str, Tensor]:
        """Return each picture's visual tokens (tokens, hidden size) on the model's device.

        If the compressor reads the question: each picture's features (layers, patches, width).

        Raises:
            UserError: a picture is missing or cannot be read.
        """
        device = self.model.device
        return {name: kept.to(device) for name, kept in self._recent.get(names, self._make).items()}

    def forget(self) -> None:
        """Remove all pictures from the memory."""
        self._recent.forget()

    def _room(self) -> int:
        config, encoder = self.model.config, self.model.vision_encoder
        if not self.asked:
            V = config.grid_side**2 if self.adaptive else config.visual_tokens
            numbers = V * config.text_config.hidden_size
        elif self.visual.argument == "features" or encoder is None:
            return 0
        else:
            numbers = len(config.feature_layers) * encoder.patches * config.vision_width
        return max(1, MOST_BYTES // int(numbers * self.model.dtype.itemsize))

    def _make(self, names: list[str]) -> list[Tensor]:
        model: Any = self.model
        values = self.visual.gather(self.visual.locate(names)).to(model.device)
        given = {self.visual.argument: values}
        if self.asked:
            made = values if "features" in given else model.vision_encoder(values)
        elif self.adaptive:
            made = model.adaptive_tokens(**given)
        else:
            made = model.compressor.reduce(model.visual_tokens(**given), model.config.visual_tokens)
        # A copy of each, because a view would keep all pictures of its batch in memory.
        return [each.to("cpu", copy=True) for each in made]
