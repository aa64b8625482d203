"""The same operations on eleven families of networks, and what two are worth; stores every run.

    python data_scripts/sweep_families.py    # about 5 minutes on 2 cores; goes on if stopped

Small networks with random weights stand for each family: whether a head can be replaced, a stage
frozen and the whole trained does not depend on the weights. What pretrained weights are worth does,
and is measured where they come with the course: minilm (a BERT); resnet10 is in sweep_head.
"""

from torch import equal, manual_seed, nn, optim, zeros

from tl_course import evidence, features, lessons, models, surgery, tasks

FAMILIES = {
    **dict.fromkeys(("resnet18", "vgg16", "efficientnet_b0", "vit_b_16"), "digits"),
    **dict.fromkeys(("bert", "gpt2", "roberta", "t5"), "docstrings"),
    **dict.fromkeys(("whisper", "wav2vec2"), "sounds"),
    "yolos": "digits",
}
PROBES = ("linear probe", "probe on random backbone")  # of minilm
LABELS = 60
SEEDS = range(5)


def operations(name: str, seed: int) -> dict:
    """Whether the head takes its classes, what is frozen stays, and all of it can learn."""
    few = tasks.load(FAMILIES[name]).few(LABELS, seed)
    manual_seed(seed)
    model = surgery.replace_head(models.load(name, pretrained=False), len(few.classes))
    answers = models.answers(model)
    if answers > 1:  # a detector: every place it may point at gets the picture's class
        splits = (few.train, few.val)
        again = [tasks.Split(s.inputs, s.labels[:, None].repeat(1, answers)) for s in splits]
        few = tasks.Task(**{**vars(few), "train": again[0], "val": again[1]})
    expected = (2, answers, len(few.classes)) if answers > 1 else (2, len(few.classes))
    shape = tuple(model(model.preprocess(few.train.inputs[:2])).shape)
    surgery.freeze(model)
    frozen = {n: v.clone() for n, v in model.state_dict().items() if not n.startswith("head")}
    head = models.classifier(model).weight.detach().clone()
    evidence.fit_or_stop(model, few, epochs=5, batch=LABELS // 2, lr=1e-2)
    kept = [n for n, value in model.state_dict().items() if n in frozen and equal(value, frozen[n])]
    own = {id(p) for p in surgery.stages(model)["head"].parameters()}
    moved = [n for n, p in model.named_parameters() if n not in kept and id(p) not in own]
    losses = by_heart(surgery.unfreeze(model), few.train)
    return {
        "head": shape == expected,
        "frozen": not moved and not equal(models.classifier(model).weight, head),
        "features": features.extract(model, few.val.inputs[:3]).shape[1],
        "loss_before": losses[0],
        "loss_after": sum(losses[-5:]) / 5,
        "parameters": sum(p.numel() for p in model.parameters()),
    }


def by_heart(model: models.Adapted, split: tasks.Split) -> list[float]:
    """The losses while all of the model learns 16 examples by heart, in 100 steps."""
    inputs, labels = model.preprocess(split.inputs[:16]), split.labels[:16].flatten()
    optimizer = optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(100):
        surgery.train_mode(model)
        logits = model(inputs)
        loss = nn.functional.cross_entropy(logits.flatten(0, -2), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def worth(name: str, pretrained: bool, seed: int) -> dict:
    """A linear probe on the features of minilm, or of the same network with random weights."""
    few = tasks.load("docstrings").few(LABELS, seed)
    manual_seed(seed)
    model = models.load("minilm")
    if not pretrained:
        for weight in model.parameters():  # as BERT itself starts: Devlin et al. 2018
            weight.data = zeros(weight.shape).normal_(0, 0.02) if weight.ndim > 1 else weight.data
    return features.probe_task(model, few)


def run(family: str, strategy: str, seed: int) -> list[dict]:
    """One row."""
    if strategy == "operations":
        return [operations(family, seed)]
    return [worth(family, strategy == PROBES[0], seed)]


def main() -> None:
    sweep = evidence.Sweep("sweep_families", __doc__)
    cells = evidence.grid(family=FAMILIES, strategy=["operations"], seed=SEEDS)
    cells += evidence.grid(family=["minilm"], strategy=PROBES, seed=SEEDS)
    done = sweep.run(run, cells, load=["digits"])
    families, ways = (*FAMILIES, "minilm"), ("operations", *PROBES)
    frame = sweep.store(done, ["family", "strategy", "seed"], family=families, strategy=ways)
    print("expect, means over seeds:")
    print(frame.groupby(["family", "strategy"], sort=False).mean(numeric_only=True).round(3))
    print(lessons.settle("zoo-1"))


if __name__ == "__main__":
    main()
