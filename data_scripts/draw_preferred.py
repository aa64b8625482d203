"""Draw the picture that each of resnet10's 512 channels likes best; write them into the package.

    python data_scripts/draw_preferred.py    # about ten minutes on 2 cores

Needs tiny-imagenet-200.zip, to say what its test pictures reach.
"""

import argparse
import io

import joblib
import numpy as np
import torch
from torchvision.transforms.functional import to_pil_image
from torchvision.utils import make_grid
from tqdm.auto import tqdm

from tl_course import features, models, store, tasks
from tl_course.features import attribution

STAGES = ("stem", "layer1", "layer2", "layer3", "layer4")
BATCH = 32
QUALITY = 84
RECIPE = "python data_scripts/draw_preferred.py"


def drawn(stage: str, channels: range, steps: int) -> torch.Tensor:
    """The preferred pictures of some channels, uint8 (N, 3, 64, 64)."""
    torch.set_num_threads(1)
    return features.preferred_pictures(models.load("resnet10"), stage, channels, steps).pictures


def sheet(pictures: torch.Tensor) -> bytes:
    """The pictures in rows, as one WebP file."""
    whole = make_grid(pictures, nrow=attribution.SHEET_COLUMNS, padding=0)
    buffer = io.BytesIO()
    to_pil_image(whole).save(buffer, "WEBP", quality=QUALITY, method=6)
    return buffer.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count(), help="runs side by side")
    parser.add_argument("--steps", type=int, default=192, help="of gradient ascent, a picture")
    args = parser.parse_args()
    model = models.load("resnet10")
    reached = features.responses(model, tasks.load("tiny_imagenet").test.inputs, *STAGES)
    best = {stage: found.mean.amax(0) for stage, found in reached.items()}
    batches = [
        (stage, range(start, start + BATCH))
        for stage in STAGES
        for start in range(0, len(best[stage]), BATCH)
    ]
    work = [joblib.delayed(drawn)(*batch, args.steps) for batch in batches]
    parts = joblib.Parallel(args.jobs, return_as="generator")(work)
    parts = [*tqdm(parts, total=len(work), desc="32 channels each")]
    arrays = {}
    for stage in STAGES:
        whole = torch.cat([p for p, (name, _) in zip(parts, batches, strict=True) if name == stage])
        packed = sheet(whole)
        means = features.responses(model, attribution.unpacked(packed), stage)[stage].mean
        arrays |= {
            f"{stage}_sheet": np.frombuffer(packed, np.uint8),
            f"{stage}_activations": means.diagonal().numpy(),
            f"{stage}_best": best[stage].numpy(),
        }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    path = store.EMBEDDED / f"{attribution.STORED}.npz"
    store.write_atomically(path, buffer.getvalue())
    store.add_to_manifest(
        path, attribution.STORED, recipe=RECIPE, source="made from resnet10", licence="MIT"
    )
    for stage in STAGES:
        drawing, photograph = arrays[f"{stage}_activations"], arrays[f"{stage}_best"]
        alive = photograph > 0
        print(f"{stage}: {(~alive).sum()} channels that no photograph excites; the other drawings")
        times = np.median(drawing[alive] / photograph[alive])
        print(
            f"  excite theirs {times:.1f} times (median) as much as the best of 5,000 photographs"
        )
    print(f"wrote {path}, {path.stat().st_size / 1e6:.2f} MB; expect 12, 0, 0, 0, 0 such channels")


if __name__ == "__main__":
    main()
