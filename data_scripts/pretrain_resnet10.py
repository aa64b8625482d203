"""Pretrain resnet10 on Tiny ImageNet and write it into the package.

    python data_scripts/pretrain_resnet10.py                        # about an hour on 2 cores
    python data_scripts/pretrain_resnet10.py --resume               # go on after an interruption
    torchrun --nproc-per-node 2 data_scripts/pretrain_resnet10.py   # two processes, one model

Needs tiny-imagenet-200.zip (folder named by TL_COURSE_DATA, the cache, or a download).
"""

import argparse
import json
import math
import os
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from tl_course import models, store, tasks, train

SEED = 0
RECIPE = "python data_scripts/pretrain_resnet10.py"


def one_cycle(progress: float, peak: float) -> float:
    """Learning rate after a share ``progress`` of a cycle: up for 15 %, then a cosine to 0."""
    if progress < 0.15:
        return peak * (0.04 + 0.96 * progress / 0.15)
    return peak * 0.5 * (1 + math.cos(math.pi * (progress - 0.15) / 0.85))


def plan(time: float, epochs: int, peak: float) -> tuple[float, float]:
    """Learning rate and strength of augmentation after ``time`` epochs (a fraction counts).

    Three cycles, of 60, 20 and 20 % of the epochs, each with a quarter of the peak before. Only
    the first augments strongly, so that the network ends on pictures as they are (Touvron et al.
    2019, arXiv:1906.06423, on the mismatch between augmented and plain pictures).
    """
    ends = [round(share * epochs) for share in (0, 0.6, 0.8, 1)]
    cycle = max(index for index in range(3) if ends[index] <= time)
    progress = (time - ends[cycle]) / (ends[cycle + 1] - ends[cycle])
    return one_cycle(progress, peak / 4**cycle), 1.0 if cycle == 0 else 0.2


def augment(images: torch.Tensor, strength: float, generator: torch.Generator) -> torch.Tensor:
    """Random zoom, shift, flip and brightness. uint8 (N, 3, H, W) to float in [0, 1]."""

    def uniform(low: float, high: float) -> torch.Tensor:
        draws = torch.rand(len(images), generator=generator, device=generator.device)
        return draws.to(images.device) * (high - low) + low

    zoom_x = uniform(1 - 0.3 * strength, 1 + 0.05 * strength)
    zoom_y = zoom_x * uniform(1 - 0.12 * strength, 1 + 0.14 * strength)
    flip = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    shift_x = uniform(-1, 1) * (1 + 0.1 * strength - zoom_x).clamp(min=0.08)
    shift_y = uniform(-1, 1) * (1 + 0.1 * strength - zoom_y).clamp(min=0.08)
    zero = torch.zeros_like(zoom_x)
    theta = torch.stack([zoom_x * flip, zero, shift_x, zero, zoom_y, shift_y], 1).view(-1, 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    floats = images.float().div_(255)
    moved = F.grid_sample(floats, grid, padding_mode="reflection", align_corners=False)
    gain = uniform(1 - 0.25 * strength, 1 + 0.25 * strength).view(-1, 1, 1, 1)
    return moved.mul_(gain).clamp_(0, 1)


def save_checkpoint(path: Path, model: nn.Module, optimizer, epoch: int) -> None:
    """Weights, momentum and the number of finished epochs, written in one stroke."""
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def load_checkpoint(path: Path, model: nn.Module, optimizer) -> int:
    """Restore what ``save_checkpoint`` wrote; returns the number of finished epochs."""
    # safetensors holds tensors alone, an optimizer's state is nested; weights_only runs no program
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return state["epoch"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch", type=int, default=128, help="pictures a step, all processes")
    parser.add_argument("--lr", type=float, default=0.2, help="peak learning rate")
    parser.add_argument("--work", type=Path, default=Path("pretrain_resnet10"), help="checkpoints")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--out", type=Path, help="write here instead of into the package")
    return parser.parse_args()


def publish(model: nn.Module, task: tasks.Task, args: argparse.Namespace) -> None:
    """Write the network into the package, and say what it reaches on pictures it never saw."""
    published = store.published()["tiny_imagenet"]
    path = store.write_embedded(
        "resnet10",
        model.state_dict(),
        recipe=f"{RECIPE} --epochs {args.epochs} --batch {args.batch} --lr {args.lr}",
        source=f"{published.title}, {published.source}",
        licence="MIT (weights); the pictures stay under their own terms",
        metadata={"classes": json.dumps(task.classes, ensure_ascii=False)},
        folder=args.out,
    )
    scores = train.evaluate(models.load("resnet10", weights=path), task.test)
    print(f"wrote {path} ({path.stat().st_size / 1e6:.2f} MB)")
    print(f"top-1 on {scores.n:,} validation pictures: {scores.accuracy:.3f}; expect 0.49 ± 0.01")


def main() -> None:
    args = arguments()
    world = int(os.environ.get("WORLD_SIZE", 1))
    rank = int(os.environ.get("RANK", 0))
    if world > 1:
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    device = train.pick_device()
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    task = tasks.load("tiny_imagenet")
    images, labels = task.train.inputs, task.train.labels
    torch.manual_seed(SEED)
    model = models.load("resnet10", pretrained=False, classes=task.classes)
    model = model.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=args.lr, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    args.work.mkdir(parents=True, exist_ok=True)
    checkpoint = args.work / "checkpoint.pt"
    start = 0
    if args.resume and checkpoint.is_file():
        start = load_checkpoint(checkpoint, model, optimizer)
        print(f"resuming after epoch {start}")
    replica = nn.parallel.DistributedDataParallel(model) if world > 1 else model
    dtype = train.pick_dtype(device)
    steps = len(labels) // args.batch
    for epoch in range(start, args.epochs):
        began, total = time.perf_counter(), 0.0
        # every epoch has its own seed, so a resumed run sees what an unbroken one would have seen
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(SEED + epoch))
        draws = torch.Generator().manual_seed((SEED + epoch) * 1000 + rank)
        model.train()
        bar = tqdm(range(steps), desc=f"epoch {epoch + 1}/{args.epochs}", disable=rank > 0)
        for step in bar:
            share = order[step * args.batch : (step + 1) * args.batch][rank::world]
            rate, strength = plan(epoch + step / steps, args.epochs, args.lr)
            batch = augment(images[share].to(device), strength, draws)
            batch = model.preprocess(batch).contiguous(memory_format=torch.channels_last)
            for group in optimizer.param_groups:
                group["lr"] = rate
            with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                logits = replica(batch)
            target = labels[share].to(device)
            loss = F.cross_entropy(logits.float(), target, label_smoothing=0.1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.item()
            bar.set_postfix(loss=f"{total / (step + 1):.3f}")
        if rank == 0:
            save_checkpoint(checkpoint, model, optimizer, epoch + 1)
            accuracy = train.evaluate(model, task.val).accuracy
            print(
                f"epoch {epoch + 1}: loss {total / steps:.3f}, held-out accuracy {accuracy:.3f}, "
                f"{time.perf_counter() - began:.0f} s",
                flush=True,
            )
    if rank == 0:
        publish(model, task, args)
    if world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
