"""What `test_deepspeed_sums` starts: DeepSpeed sums the gradients of many micro batches on a CPU.

``deepspeed_worker.py ZERO.json TYPE``: prints the relative error of a gradient that is summed in TYPE.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from paretoken.train.zero import prepare_deepspeed

WIDTH, MICRO_BATCHES = 64, 32


def configuration(path: Path, summed: str) -> dict[str, Any]:
    """Return a configuration of the project with the values that the Trainer would fill in."""
    config: dict[str, Any] = json.loads(path.read_text())
    zero = config["zero_optimization"]
    zero |= {key: 10_000 for key, value in zero.items() if value == "auto"}
    return config | {
        "bf16": {"enabled": True},
        "train_batch_size": MICRO_BATCHES,
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": MICRO_BATCHES,
        "gradient_clipping": 1.0,
        "data_types": {"grad_accum_dtype": summed},
    }


def main() -> None:
    """Sum the gradients of one step, and print the error."""
    os.environ |= {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}
    prepare_deepspeed()
    import deepspeed

    torch.manual_seed(0)
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    model = nn.Sequential(nn.Linear(WIDTH, WIDTH, bias=False))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0, fused=True)
    config = configuration(Path(sys.argv[1]), sys.argv[2])
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=config)
    exact = torch.zeros(WIDTH, WIDTH, dtype=torch.float64)
    summed: Tensor | None = None
    (weight,) = engine.module.parameters()
    for micro in torch.randn(MICRO_BATCHES, 4, WIDTH).bfloat16():
        # The gradient of the sum over all outputs, which the engine divides by the micro batches.
        one = micro.float().sum(0).expand(WIDTH, WIDTH) / MICRO_BATCHES
        exact += one.bfloat16().double()
        engine.backward(engine(micro).float().sum())
        if engine.is_gradient_accumulation_boundary():
            summed = deepspeed.utils.safe_get_full_grad(weight)
        engine.step()
    assert summed is not None
    print("error", float((summed.double() - exact).norm() / exact.norm()))


if __name__ == "__main__":
    main()
