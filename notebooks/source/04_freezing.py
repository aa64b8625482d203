# %% [markdown]
# # How much of it should you freeze?
#
# All but the head, half of it, or nothing? Articles say: freeze more when you have little data, and
# find the *sweet spot* by experiment. You will train the three classic ways, fall into a trap,
# and read a map of more than a thousand runs.
#
# **After this lesson you can** choose a depth for your data, give each stage its own learning rate,
# and prove that what is frozen stands still.

# %%
import copy
import time

import pandas
import torch
from torch.nn import functional as F

from tl_course import evidence, models, plots, practice, surgery, tasks, train, widgets
from tl_course.evidence import depths

clinic = tasks.load("leaves").few(200, seed=0)
clinic

# %% [markdown]
# ## Predict first
#
# Suppose you had only 50 labelled leaves, ten of each condition. You can freeze nothing, the bottom
# up to a stage, or all but the head. Which gets most new leaves right? Choose, then **Commit**.

# %% tags=["nbval-ignore-output"]
CHOICES = ("nothing", "to layer1", "to layer2", "to layer3", "all but the head")
widgets.predict("04-depth", "With 50 leaves, it is best to freeze …", CHOICES)

# %% [markdown]
# ## Three ways
#
# - *Feature extraction*: the backbone is frozen, only the new head learns (lesson 03).
# - *Partial fine-tuning*: the bottom is frozen; here stem, layer1 and layer2.
# - *Full fine-tuning*: every weight learns.
#
# They differ in a list of names, and in the learning rate: a head alone bears larger steps.

# %%
STAGES = ["stem", "layer1", "layer2", "layer3", "layer4", "head"]
WAYS = {
    "feature extraction": (["head"], 1e-2),
    "partial fine-tuning": (["layer3", "layer4", "head"], 1e-3),
    "full fine-tuning": (STAGES, 1e-3),
}


def network(trained):
    torch.manual_seed(0)  # the same new head every time
    model = surgery.replace_head(models.load("resnet10"), len(clinic.classes))
    for name, part in surgery.stages(model).items():
        part.requires_grad_(name in trained)
    return model


# %% [markdown]
# One loop serves all three. The optimizer gets only what is to learn, and a frozen stage stays in
# eval mode. Why, you will see below.


# %%
def learn(model, lr, epochs=6):
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=lr)
    for _ in range(epochs):
        for part in surgery.stages(model).values():
            part.train(next(part.parameters()).requires_grad)
        for chosen in torch.randperm(len(clinic.train)).split(32):
            logits = model(model.preprocess(clinic.train.inputs[chosen]))
            loss = F.cross_entropy(logits, clinic.train.labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


# %% tags=["nbval-ignore-output"]
rows = []
for way, (trained, lr) in WAYS.items():
    model = network(trained)
    count = sum(w.numel() for w in model.parameters() if w.requires_grad)
    began = time.perf_counter()
    learn(model, lr)
    seconds = round(time.perf_counter() - began, 1)
    right = [train.evaluate(model, split).accuracy for split in (clinic.train, clinic.val)]
    rows.append((way, f"{count:,}", seconds, *right))
columns = ["way", "trained weights", "seconds", "training", "validation"]
print(pandas.DataFrame(rows, columns=columns).round(2).to_string(index=False))

# %% [markdown]
# Read it from left to right. More weights take longer, and soon know the *training* leaves by
# heart. What counts is the last column, and there one run on 200 leaves says little: another seed
# may swap two neighbours.
#
# A frozen bottom gives the same features in every epoch, so it need not run again. `train.fit`
# does it once:

# %% tags=["nbval-ignore-output"]
for way in ("feature extraction", "partial fine-tuning"):
    trained, lr = WAYS[way]
    history = train.fit(network(trained), clinic, epochs=6, lr=lr, progress=False)
    print(f"{way}: {max(history.val_accuracy):.2f} right, {history.seconds:.1f} s")
    print("    run once:", ", ".join(history.cached))

# %% [markdown]
# ## Is the head alone fast, and useful?
#
# Claim **freeze-1**: *feature extraction is fast and works with hundreds of examples*. Now the
# stored runs: five depths, two controls, six targets, five seeds each. Every strategy had its
# learning rate chosen among three on validation. The controls are *from scratch* and a head on a
# *random* backbone: what pictures give away by themselves.

# %%
runs = evidence.load("sweep_freezing")
print(f"{len(runs):,} runs, made with:", runs.attrs["command"])
TARGETS = {
    "materials": "Materials (near photographs)",
    "leaves": "Leaves",
    "satellite": "Satellite pictures",
    "digits": "Handwritten digits",
    "spoken_digits": "Spoken digits (spectrograms)",
    "pneumonia": "Pneumonia (X-rays)",
}

# %%
WHO = ("fine-tuning", "head alone", "from scratch", "head on random backbone")
names = {name: name.replace("_", "\n") for name in TARGETS} | {200: "200 labels", 500: "500 labels"}
hundreds = runs[runs.labels.isin([200, 500])]
title = "The head alone and its rivals, with hundreds of labels (points: seeds)"
chart = plots.by_group(hundreds, "task", "labels", WHO, names, title=title)
plots.show(chart, alt="Six targets: where the head alone stands between scratch and fine-tuning.")

# %%
seconds = runs[runs.labels == 200].groupby(["task", "strategy"]).seconds.mean().unstack()
print(seconds[["head alone", "fine-tuning"]].round(1).to_string())
verdict = evidence.settle("freeze-1")
print(f"freeze-1 {verdict.verdict}: {verdict.condition}")
print("head alone minus from scratch, mean over targets:", verdict.interval)

# %% [markdown]
# The seconds settle *fast*. *Works* means here: better than a head on random features, and no more
# than five points behind a network trained from scratch. Look for targets where the green points
# lie on the grey ones. There, pretraining has given the head nothing.

# %% [markdown]
# ## Slow below, fast above
#
# Freezing is a switch. A *learning rate for each stage* is a dial: the bottom knows general things
# and moves little, the head is new and moves fast. You built two groups by hand in lesson 03;
# `param_groups` makes one a stage. A stage without a rate takes that of the nearest one above.

# %%
RATES = {"layer2": 1e-4, "layer4": 5e-4, "head": 5e-3}
for group in surgery.param_groups(network(STAGES), RATES):
    print(f"{group['stage']:7} {group['lr']:g}")

# %% tags=["nbval-ignore-output"]
for title, lr in (("one rate", 1e-3), ("a rate a stage", RATES)):
    history = train.fit(network(STAGES), clinic, epochs=6, lr=lr, progress=False)
    print(f"{title:14} {max(history.val_accuracy):.2f} right on validation")

# %% [markdown]
# `fit` takes the same dictionary. One run of each proves nothing, whichever is ahead: three rates
# are also three more numbers to choose, and choosing well costs runs. Keep it in mind for networks
# that are wrecked by one rate for all.

# %% [markdown]
# ## The BatchNorm trap
#
# Give a network a job: to read handwritten *digits*, with 400 labels. Then freeze everything. No
# weight can learn from now on.

# %% tags=["nbval-ignore-output"]
digits = tasks.load("digits").few(400, seed=0)
worker = surgery.replace_head(models.load("resnet10"), len(digits.classes))
surgery.freeze(worker)
train.fit(worker, digits, epochs=20, lr=1e-2, progress=False)
worker.requires_grad_(False)
print(f"digits: {train.evaluate(worker, digits.val).accuracy:.2f} right")


# %% [markdown]
# Show it leaves, 32 at a time. No loss, no gradient, no step: it only looks. Every four batches ask
# it about digits again.


# %%
def look_at_leaves(model, training, batches=24):
    accuracies = []
    for batch in range(batches + 1):
        if batch % 4 == 0:
            accuracies.append(train.evaluate(model, digits.val).accuracy)
        model.train(training)
        chosen = torch.randint(len(clinic.train), (32,))
        with torch.no_grad():
            model(model.preprocess(clinic.train.inputs[chosen]))
    return accuracies


# %% tags=["nbval-ignore-output"]
torch.manual_seed(0)
drifted = copy.deepcopy(worker)
curves = {
    "model.eval()": look_at_leaves(copy.deepcopy(worker), training=False),
    "model.train()": look_at_leaves(drifted, training=True),
}
title = "A frozen network looks at leaves: what is left of its old job"
chart = plots.batches_shown(curves, every=4, title=title)
plots.show(chart, alt="Old job by batches shown: flat in eval mode, falling in training mode.")

# %%
before, after = worker.state_dict(), drifted.state_dict()
moved = [name for name in before if not torch.equal(before[name], after[name])]
weights = [name for name, _ in worker.named_parameters()]
print("weights that moved:", sum(name in weights for name in moved))
print("other numbers that moved:", len(moved), "such as", ", ".join(moved[:3]))

# %% [markdown]
# In training mode a BatchNorm layer centres each *batch* by its own mean and spread, and adds them
# to its notes. `requires_grad=False` does not stop that: notes are no weights. After some batches
# they describe leaves.
#
# `model.eval()` stops it, but brings nothing back: load the network again. And `model.train()`
# before each epoch undoes `eval()`. `fit` therefore calls `surgery.train_mode`:

# %%
model = surgery.train_mode(surgery.freeze(network(STAGES), "stem", "layer1", "layer2"))
for name, part in surgery.stages(model).items():
    print(f"{name:7} {'training' if part.training else 'eval'} mode")

# %% [markdown]
# ## A dispute
#
# Is drifting always bad? Perhaps the notes *should* fit the new pictures. fastai trains BatchNorm
# in frozen layers unless told otherwise
# ([`Learner(train_bn=True)`](https://docs.fast.ai/learner.html)). Keras'
# [guide](https://keras.io/guides/transfer_learning/) keeps the notes fixed even when all weights
# are trained. Both cannot be right everywhere, so: five policies, three batch sizes, a near and a
# far target, 200 labels, five seeds.

# %%
norms = evidence.load("sweep_batchnorm")
names = {"materials": "materials (near)", "spoken_digits": "spoken digits (far)"}
names |= {size: f"batches of {size}" for size in (8, 32, 128)}
POLICIES = [*dict.fromkeys(norms.strategy)]
title = "What BatchNorm does, by batch size (points: seeds)"
chart = plots.by_group(norms, "batch", "task", POLICIES, names, title=title)
plots.show(chart, alt="Near and far: five BatchNorm policies at three batch sizes, with intervals.")


# %% [markdown]
# Green: all but the head frozen. Blue: all weights trained. A filled sign is Keras' way, *fixed*;
# an open one lets the notes move; the triangle is fastai's way and trains BatchNorm's own weights
# too. Now the two questions as paired differences.


# %%
def gain(first, second):
    found = {}
    for task in ("materials", "spoken_digits"):
        for size in (8, 32, 128):
            here = norms[norms.batch == size]
            found[f"{task}, {size}"] = evidence.compare(here, task, 200, first, second)
    return found


# %%
found = gain("frozen, BatchNorm trained", "frozen, fixed")
sides = {"gain": "fastai's way better", "loss": "Keras' way better"}
chart = plots.differences(found, **sides, title="Body frozen: train BatchNorm, or fix it?")
plots.show(chart, alt="; ".join(f"{name}: {each}" for name, each in found.items()))

# %%
found = gain("fine-tuning, statistics move", "fine-tuning, fixed")
sides = {"gain": "moving better", "loss": "fixed better"}
chart = plots.differences(found, **sides, title="All weights trained: let the notes move, or fix?")
plots.show(chart, alt="; ".join(f"{name}: {each}" for name, each in found.items()))

# %%
means = norms.dropna(subset=["drift"]).groupby(["strategy", "batch"]).drift.mean().unstack()
print("how far the notes moved, in their own spreads, by batch size")
print(means.round(2).to_string())

# %% [markdown]
# A line that crosses zero settles nothing. Where one does not, compare *near* with *far*, and small
# batches with large: the notes of eight pictures are rough.
#
# For the *old* job the answer is plain and needs no seeds: whatever moves, spoils it. For the new
# job it is a setting like others, to be chosen on validation.

# %% [markdown]
# ## The sweet-spot map
#
# Rows: how much is frozen. Columns: labels. In each column the best depth has a thick frame, and a
# thin one says *could not be told from the best*. Follow the thick frames from left to right: if
# the articles are right, they climb from the bottom row to the top. A column full of thin frames
# says that five seeds see no difference: there, depth hardly matters.

# %%
title = "Where is the sweet spot? Six targets, five seeds a cell"
chart = plots.depth_maps(runs, TARGETS, title=title)
table = pandas.concat([plots.standings(runs, name).assign(task=name) for name in TARGETS])
best = table[table.best].groupby("task").strategy.agg(lambda s: s.value_counts().idxmax())
alt = "; ".join(f"{name}: most often best {best[name]}" for name in TARGETS)
plots.show(chart, alt=f"Accuracy by depth and labels. {alt}.")

# %%
for name in TARGETS:
    here = table[table.task == name]
    level = here[here.best | here.tied].groupby("strategy").size().reindex(depths.PRETRAINED)
    columns = here.labels.nunique()
    line = ", ".join(f"{s} {n}" for s, n in level.fillna(0).astype(int).items())
    print(f"{name}, best or level in so many of {columns} columns:\n    {line}")

# %% tags=["nbval-ignore-output"]
few = table[(table.task == "leaves") & (table.labels == 50)].set_index("strategy")
measured = CHOICES[depths.PRETRAINED.index(few["mean"].idxmax())]
print("not told from it:", ", ".join(few.index[few.tied]) or "none")
print(practice.compare("04-depth", measured))

# %% [markdown]
# One target as lines. The bars are 95 % intervals of the mean.

# %%
chart = plots.depth_lines(runs, "leaves", title="Leaves: how much to freeze, by labels")
plots.show(chart, alt="Accuracy on leaves by labels, one line a depth, and from scratch dashed.")

# %% [markdown]
# Where lines cross, the advice changes. Where they run together, the depth hardly matters, and you
# may take the one that is cheapest to train.

# %% [markdown]
# ## Too much, too little
#
# Claim **freeze-4**: *freezing too much cannot adapt, too little overfits, and a sweet spot lies
# between*. It asks for a depth between the ends that beats both. That depth is chosen on
# validation, never on the test: who picks the best of five on the test will always find a sweet
# spot.

# %%
verdict = evidence.settle("freeze-4")
print(f"freeze-4 {verdict.verdict}: {verdict.condition}")
print("depth found by experiment minus nothing frozen, mean over cells:", verdict.interval)

# %% [markdown]
# The interval is what looking for the spot brings, if each seed trusts its own small validation
# set and you compare with always training everything. It may be less than a map promises: a choice
# between five on few pictures is a rough one.

# %% [markdown]
# Claim **freeze-2**: *partial fine-tuning is more accurate, but wants thousands*. Here for
# materials, where the head alone does well, from few labels to many:

# %%
counts = sorted(set(runs[runs.task == "materials"].labels))
pair = ("frozen to layer2", "head alone")
found = {f"{n:,} labels": evidence.compare(runs, "materials", n, *pair) for n in counts}
sides = {"gain": "partial better", "loss": "head alone better"}
chart = plots.differences(found, **sides, title="Materials: partial fine-tuning minus head alone")
plots.show(chart, alt="; ".join(f"{name}: {each}" for name, each in found.items()))

# %%
verdict = evidence.settle("freeze-2")
print(f"freeze-2 {verdict.verdict}: {verdict.condition}")
print("partial minus head alone, most labels, mean over targets:", verdict.interval)

# %% [markdown]
# Claim **freeze-3**: *full fine-tuning is often best with lots of data and overfits with little*.
# Overfitting shows as a gap: right on the training pictures minus right on new ones. Here it is for
# leaves; the darker, the wider.

# %%
leaves = runs[runs.task == "leaves"].assign(gap=runs.train_accuracy - runs.test_accuracy)
gap = leaves.groupby(["strategy", "labels"]).gap.mean().unstack().loc[[*depths.PRETRAINED]]
gap.columns = [f"{count:,}" for count in gap.columns]
chart = plots.heat_map(gap, title="Leaves: training minus test accuracy, by labels")
plots.show(chart, alt="The gap by depth and labels: widest with few labels and little frozen.")

# %%
verdict = evidence.settle("freeze-3")
print(f"freeze-3 {verdict.verdict}: {verdict.condition}")
print("all weights minus frozen to layer3, 25 labels, mean over targets:", verdict.interval)

# %% [markdown]
# A wide gap is no loss by itself. What hurts is when a frozen network, with a smaller gap, does
# better on *new* pictures; that is what the verdict asks. Compare the gaps above with the leaves'
# map, column by column. More on this in lesson 06.

# %% [markdown]
# ## Start with features?
#
# Claim **freeze-5**: *start with feature extraction; fine-tune only when it has stopped improving*.
# Train the head until it has stopped, then open everything, at a low rate:

# %% tags=["nbval-ignore-output"]
model = network(["head"])
first = train.fit(model, clinic, epochs=40, lr=1e-2, progress=False)
surgery.unfreeze(model)
then = train.fit(model, clinic, epochs=6, lr=5e-4, progress=False)
for name, history in (("features", first), ("then all", then)):
    best, epochs = max(history.val_accuracy), len(history.val_accuracy)
    print(f"{name}: {best:.2f} right, epoch {history.best_epoch} of {epochs}", end="")
    print(f", {history.seconds:.1f} s")

# %% [markdown]
# The better start of the head costs next to nothing, for stored features are cheap. But is it worth
# anything in the end? The stored runs give every policy the same compute. Storing all features
# costs a third of an epoch of full fine-tuning, so who begins with them fine-tunes one epoch less.

# %%
policies = evidence.load("sweep_policies")
names = {"spoken_digits": "spoken digits", 50: "50 labels", 200: "200 labels"}
ORDER = [*dict.fromkeys(policies.strategy)]
title = "When to fine-tune, at equal compute (points: seeds)"
chart = plots.by_group(policies, "task", "labels", ORDER, names, title=title)
plots.show(chart, alt="Five policies on three targets with 50 and 200 labels, with intervals.")

# %%
cells = [*policies[["task", "labels"]].drop_duplicates().itertuples(index=False, name=None)]
pair = ("features until they stop, then all", "fine-tune at once")
found = {f"{task}, {n}": evidence.compare(policies, task, n, *pair) for task, n in cells}
sides = {"gain": "features first better", "loss": "at once better"}
chart = plots.differences(found, **sides, title="Features first minus fine-tuning at once")
plots.show(chart, alt="; ".join(f"{name}: {each}" for name, each in found.items()))

# %%
verdict = evidence.settle("freeze-5")
print(f"freeze-5 {verdict.verdict}: {verdict.condition}")
print("features first minus at once, mean over cells:", verdict.interval)

# %% [markdown]
# Two questions are mixed in that advice. Does waiting help? The chart above answers. Is it useful
# to *look* at the features first? Always: after a second of computing you know what to beat, and
# whether the rest is worth the time.

# %% [markdown]
# ## The freeze slider
#
# Choose a target, labels and a depth. Means and intervals come from the stored runs, the small dots
# are the five seeds of the depth you chose, the dashed lines the controls. The button trains this
# very cell on your machine and puts a black diamond beside the dots. Can you find a cell where
# freezing more is better?

# %% tags=["nbval-ignore-output"]
widgets.freeze_slider()

# %% [markdown]
# ## Break it
#
# Everyone freezes from the bottom. Freeze the *wrong end*: keep the top as it is and train the
# bottom below it. Predict which does better, then try other stages, or your own pictures:
# `task = tasks.folder("my_photos")`.

# %% tags=["nbval-ignore-output"]
task, ENDS = clinic, {"bottom": ("stem", "layer1", "layer2"), "top": ("layer3", "layer4")}

for end, held in ENDS.items():
    torch.manual_seed(0)
    model = surgery.replace_head(models.load("resnet10"), len(task.classes))
    surgery.freeze(model, *held)
    history = train.fit(model, task, epochs=6, lr=1e-3, progress=False)
    best, seconds = max(history.val_accuracy), history.seconds
    print(f"{end} frozen: {best:.2f} right on validation, {seconds:.1f} s")

# %% [markdown]
# ## Exercise 1: stand still
#
# Write ten steps or more that train layer3, layer4 and the head, while stem, layer1 and layer2 do
# not move: neither weights nor BatchNorm's notes, not even for a moment. The network comes in
# training mode, nothing frozen. Use no `fit`.
#
# <details><summary>Hint</summary>Two things must be told: the optimizer, what to move; each frozen
# stage, in which mode to pass pictures.</details>


# %% tags=["exercise"]
def learn_top(model, task):
    pictures, labels = model.preprocess(task.train.inputs), task.train.labels
    ### BEGIN SOLUTION
    surgery.train_mode(surgery.freeze(model, "stem", "layer1", "layer2"))
    optimizer = torch.optim.AdamW(surgery.param_groups(model, 1e-3))
    for _ in range(10):
        loss = F.cross_entropy(model(pictures), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    ### END SOLUTION


print(practice.check_held(learn_top))

# %% [markdown]
# ## Exercise 2: a ladder of rates
#
# Give every stage of `resnet10` its own learning rate: 0.01 in the head, and in each stage a third
# of the one above it.

# %% tags=["exercise"]
ladder = {"head": 1e-2}
### BEGIN SOLUTION
rate = 1e-2
for name in reversed(STAGES):
    ladder[name] = rate
    rate /= 3
### END SOLUTION
print(practice.check_ladder(ladder))

# %% [markdown]
# ## Exercise 3: the exam
#
# Write `learn_hundred(task)`: it gets a task with 100 labelled leaves and returns a trained
# network. Freeze what you like. The check draws the hundred, so try it on `clinic` first. The bar
# is five points above the head alone, mean of the stored runs. The test set is taboo; the check
# notices.
#
# <details><summary>Hint</summary>The map has a column for 100 labels. Mirrored leaves are leaves
# too: <code>augment=evidence.flip</code>.</details>


# %% tags=["exercise", "nbval-ignore-output"]
def learn_hundred(task):
    model = surgery.replace_head(models.load("resnet10"), len(task.classes))
    # freeze what you like, and train
    ### BEGIN SOLUTION
    surgery.freeze(model, "stem", "layer1")
    train.fit(model, task, epochs=16, lr=3e-3, augment=evidence.flip, progress=False)
    ### END SOLUTION
    return model


print(practice.check_hundred(learn_hundred))

# %% [markdown]
# ## What you measured
#
# How much to freeze is a number to try, not a law: the map shows where it matters and where all
# depths are level. A head alone takes a second and tells what to beat. What is frozen must be in
# eval mode, or it moves. And whoever chooses a depth chooses on validation.

# %% [markdown]
# ## Go further
#
# Put `models.load("resnet18")` into *Break it* (`tl-course prefetch resnet18`), with your own
# pictures: a backbone that has seen a million photographs may like to be frozen deeper. The whole
# map can be made again with `python data_scripts/sweep_freezing.py`.
