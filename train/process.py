"""This process among those that train together, and its progress bar."""

import os
import sys
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed
from tqdm import tqdm

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Process:
    """This process among those that train together.

    Attributes:
        rank: 0 writes files and shows progress.
        world: number of processes.
        device: where this process computes.
    """

    rank: int = 0
    world: int = 1
    device: torch.device = CPU

    def bar(self, total: int, label: str, done: int = 0) -> Any:
        """Return a progress bar on stderr, silent except on rank 0."""
        return tqdm(total=total, desc=label, initial=done, file=sys.stderr, disable=self.rank > 0)

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.world > 1:
            distributed.barrier()


def join(threads: int = 1) -> Process:
    """Return this process's place; under torchrun, join the others. A GPU is used where there is one.

    Args:
        threads: of the CPU; one is fastest for these small products.
    """
    torch.set_num_threads(threads)
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    device = CPU
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
        # The fastest convolutions add in any order; equal configs are to give equal modules.
        torch.backends.cudnn.deterministic = True
    if world > 1:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Process(rank, world, device)


def leave(process: Process) -> None:
    """End what `join` began."""
    if process.world > 1:
        distributed.destroy_process_group()
