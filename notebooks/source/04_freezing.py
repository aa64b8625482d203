# %% [markdown]
# # How much of it should you freeze?
#
# Freeze all of a pretrained network but the head, half of it, or nothing? Articles say: freeze more
# when you have little data; find the *sweet spot* between too much and too little by experiment.
# You will train three ways, fall into a trap, and read a map.
#
# **After this lesson you can** choose how much to freeze, give each stage its own learning rate,
# and prove that frozen stages stand still.

# %%
import copy
import time

import pandas
import torch
from torch.nn import functional as F

from tl_course import evidence, lessons, models, plots, practice, surgery, tasks, train
from tl_course.lessons import freezing

clinic = tasks.load("leaves").few(200, seed=0)
clinic

# %% [markdown]
# ## Predict first
#
# Call the picture's end of a network its *bottom*, the head its *top*. Freezing starts at the
# bottom; how far up it reaches is its *depth*.
#
# Suppose you had only 50 labelled leaves, ten of each condition. Which depth gets most new leaves
# right? Choose, then **Commit**.

# %% tags=["nbval-ignore-output"]
CHOICES = ("nothing", "to layer1", "to layer2", "to layer3", "all but the head")
practice.predict("04-depth", "With 50 leaves, it is best to freeze …", CHOICES)

# %% [markdown]
# ## Three ways
#
# - *Feature extraction*: the backbone is frozen, only the new head learns (lesson 03). The charts
#   call it *head alone*.
# - *Partial fine-tuning*: the bottom is frozen, here up to layer2.
# - *Full fine-tuning*: every weight learns. In the charts: *fine-tuning*.
#
# They differ in which stages learn, and in the learning rate: a head alone can take larger steps.
# `requires_grad_(False)` stops the weights of a part from learning.

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
# One loop serves all three. The optimizer gets only the weights that learn, and a frozen stage
# stays in eval mode. You will see why below.


# %%
def learn(model, lr, epochs=6):
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=lr)
    for _ in range(epochs):
        for part in surgery.stages(model).values():
            part.train(next(part.parameters()).requires_grad)  # eval mode where frozen
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
# heart. What counts is the last column, and there one run says little: another seed may change the
# order.
#
# A frozen bottom gives the same features in every epoch, so it need not run again. `train.fit`
# runs it once:

# %% tags=["nbval-ignore-output"]
for way in ("feature extraction", "partial fine-tuning"):
    trained, lr = WAYS[way]
    history = train.fit(network(trained), clinic, epochs=6, lr=lr, progress=False)
    print(f"{way}: {max(history.val_accuracy):.2f} right, {history.seconds:.1f} s")
    print("    run once:", ", ".join(history.cached))

# %% [markdown]
# ## Is the head alone fast, and useful?
#
# Claim **freeze-1**: *feature extraction is fast and works with hundreds of examples*.
#
# Now the stored runs, five seeds each, on six *targets*, the tasks that knowledge is carried over
# to. One is sounds: a *spectrogram* draws a sound as a picture. Seven strategies: five depths and
# two controls, *from scratch* and a head on a *random* backbone. Each had its learning rate chosen
# among three on validation.

# %%
stored = evidence.load("sweep_freezing")
print(f"{len(stored):,} runs, made with:", stored.attrs["command"])
TARGETS = {
    "materials": "Materials",
    "leaves": "Leaves",
    "satellite": "Satellite pictures",
    "digits": "Handwritten digits",
    "spoken_digits": "Spoken digits (spectrograms)",
    "pneumonia": "Pneumonia (X-rays)",
}

# %%
WHO = ("fine-tuning", "head alone", "from scratch", "head on random backbone")
names = {name: name.replace("_", "\n") for name in TARGETS} | {200: "200 labels", 500: "500 labels"}
hundreds = stored[stored.labels.isin([200, 500])]
title = "The head alone and its rivals, with hundreds of labels (points: seeds)"
chart = freezing.by_group(hundreds, "task", "labels", WHO, names, title=title)
plots.show(chart, alt="Six targets: where the head alone stands between scratch and fine-tuning.")

# %% [markdown]
# Look for targets where green (head alone) lies level with grey (random backbone). There,
# pretraining has given the head nothing.
#
# *Works* means here: better than grey, and at least the same as a network trained from scratch.
# *Fast*: what is frozen gives the same for a picture in every epoch, so it runs once. Seconds of
# training with 200 labels, and the verdict:

# %%
seconds = stored[stored.labels == 200].groupby(["task", "strategy"]).seconds.mean().unstack()
print(seconds[["head alone", "fine-tuning"]].round(1).to_string())
print(lessons.settle("freeze-1"))

# %% [markdown]
# ## Slow below, fast above
#
# Freezing is a switch. A *learning rate for each stage* is a dial: the bottom knows general things
# and moves little, the head is new and moves fast. You built two groups by hand in lesson 03;
# `param_groups` makes one for each stage. A stage without a rate takes that of the nearest one
# above it.

# %%
RATES = {"layer2": 1e-4, "layer4": 5e-4, "head": 5e-3}
for group in surgery.param_groups(network(STAGES), RATES):
    print(f"{group['stage']:7} {group['lr']:g}")

# %% tags=["nbval-ignore-output"]
for title, lr in (("one rate", 1e-3), ("rate by stage", RATES)):
    history = train.fit(network(STAGES), clinic, epochs=6, lr=lr, progress=False)
    print(f"{title:14} {max(history.val_accuracy):.2f} right on validation")

# %% [markdown]
# `fit` takes the same dictionary. One run of each proves nothing, whichever is ahead. And more
# rates are more numbers to choose; choosing well costs runs.

# %% [markdown]
# ## The BatchNorm trap
#
# Give a network a job: to read handwritten *digits*, with 400 labels. Then freeze everything, the
# head too. No weight can learn from now on.

# %% tags=["nbval-ignore-output"]
digits = tasks.load("digits").few(400, seed=0)
worker = surgery.replace_head(models.load("resnet10"), len(digits.classes))
surgery.freeze(worker)
train.fit(worker, digits, epochs=20, lr=1e-2, progress=False)
worker.requires_grad_(False)
print(f"digits: {train.evaluate(worker, digits.val).accuracy:.2f} right")


# %% [markdown]
# Show it leaves, 32 at a time. No loss, no gradient, no step: it only looks. After every four
# batches it is tested on digits again. One copy looks in eval mode, the other in training mode.


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
chart = freezing.batches_shown(curves, every=4, title=title)
plots.show(chart, alt="Old job by batches shown: flat in eval mode, falling in training mode.")

# %% [markdown]
# Nothing was trained, and yet the dashed line falls. What has changed inside?

# %%
before, after = worker.state_dict(), drifted.state_dict()
moved = [name for name in before if not torch.equal(before[name], after[name])]
weights = [name for name, _ in worker.named_parameters()]
print("weights that moved:", sum(name in weights for name in moved))
print("other numbers that moved:", len(moved), "such as", ", ".join(moved[:3]))

# %% [markdown]
# In training mode a BatchNorm layer scales each *batch* by its own mean and spread, and adds them
# to its notes, the *running statistics*. `requires_grad=False` does not stop that: notes are no
# weights. After some batches they describe leaves.
#
# `model.eval()` stops it, but does not bring the old notes back. And `model.train()` before each
# epoch undoes `eval()`. So `fit` calls `surgery.train_mode`, which leaves frozen stages in eval
# mode:

# %%
model = surgery.train_mode(surgery.freeze(network(STAGES), "stem", "layer1", "layer2"))
for name, part in surgery.stages(model).items():
    print(f"{name:7} {'training' if part.training else 'eval'} mode")

# %% [markdown]
# ## A dispute
#
# Is it always bad when the notes *drift*? Perhaps they *should* fit the new pictures. fastai trains
# BatchNorm in frozen layers unless told otherwise
# ([`Learner(train_bn=True)`](https://docs.fast.ai/learner.html)). Keras'
# [guide](https://keras.io/guides/transfer_learning/) says to keep frozen layers in inference mode,
# notes fixed. The stored runs try three policies with all but the head frozen, three batch sizes,
# pictures of materials and of sounds, 200 labels, five seeds.

# %%
norms = evidence.load("sweep_batchnorm")
names = {"spoken_digits": "spoken digits"}
names |= {size: f"batches of {size}" for size in (8, 32, 128)}
POLICIES = [*dict.fromkeys(norms.strategy)]
title = "Frozen backbone: what BatchNorm does, by batch size (points: seeds)"
chart = freezing.by_group(norms, "batch", "task", POLICIES, names, title=title)
plots.show(chart, alt="Materials, sounds: three BatchNorm policies, three batch sizes, intervals.")


# %% [markdown]
# Filled circles are Keras' way, notes *fixed*; open ones let them move. The triangle is fastai's
# way: the notes move, and BatchNorm's own weights are trained too. Now each against *fixed*, as
# paired differences:


# %%
def gain(first, second):
    return {
        f"{task}, {size}": evidence.Runs(norms).compare(first, second, task=task, batch=size)
        for task in ("materials", "spoken_digits")
        for size in (8, 32, 128)
    }


# %%
found = gain("frozen, BatchNorm trained", "frozen, fixed")
sides = {"gain": "fastai's way better", "loss": "Keras' way better"}
chart = plots.differences(found, **sides, title="Train BatchNorm, or fix it?")
plots.show(chart, alt="; ".join(f"{name}: {each}" for name, each in found.items()))

# %%
found = gain("frozen, statistics move", "frozen, fixed")
sides = {"gain": "moving better", "loss": "fixed better"}
chart = plots.differences(found, **sides, title="Let only the notes move, or fix them?")
plots.show(chart, alt="; ".join(f"{name}: {each}" for name, each in found.items()))

# %%
means = norms.dropna(subset=["drift"]).groupby(["strategy", "batch"]).drift.mean().unstack()
print("how far the noted means moved, in standard deviations, by batch size")
print(means.round(2).to_string())

# %% [markdown]
# A line that crosses zero settles nothing. Elsewhere compare materials with sounds, which ask most
# for new notes and scales. Compare large batches with small ones, too: an epoch of 200
# pictures is two steps with batches of 128, and 25 with batches of 8.
#
# If you still need the *old* job, keep the notes fixed: you saw it spoiled above. For the new job
# it is a setting like any other, to be chosen on validation.

# %% [markdown]
# ## The sweet-spot map
#
# Rows: how much is frozen. Columns: labels. In each column the best depth has a thick frame; a thin
# one says that it *could not be told from the best*. Follow the thick frames from left to right: if
# the articles are right, they climb from the bottom row to the top. In a column full of thin
# frames, five seeds cannot tell the depths apart.

# %%
title = "Where is the sweet spot? Six targets, five seeds a cell"
chart = freezing.depth_maps(stored, TARGETS, title=title)
table = pandas.concat([freezing.standings(stored, name).assign(task=name) for name in TARGETS])
# for the text alternative: the depth that is best in most columns
best = table[table.best].groupby("task").strategy.agg(lambda s: s.value_counts().idxmax())
alt = "; ".join(f"{name}: most often best {best[name]}" for name in TARGETS)
plots.show(chart, alt=f"Accuracy by depth and labels. {alt}.")

# %% [markdown]
# Counted: in how many columns each depth is best or has a thin frame. *Fine-tuning* is the row
# *nothing*, *head alone* the row *all but the head*.

# %%
for name in TARGETS:
    here = table[table.task == name]
    level = here[here.best | here.tied].groupby("strategy").size().reindex(freezing.PRETRAINED)
    columns = here.labels.nunique()
    line = ", ".join(f"{s} {n}" for s, n in level.fillna(0).astype(int).items())
    print(f"{name}, of {columns} columns:\n    {line}")

# %% tags=["nbval-ignore-output"]
few = table[(table.task == "leaves") & (table.labels == 50)].set_index("strategy")
measured = CHOICES[freezing.PRETRAINED.index(few["mean"].idxmax())]
print("could not be told from the best:", ", ".join(few.index[few.tied]) or "none")
print(practice.compare("04-depth", measured))

# %% [markdown]
# One target as lines. The bars are 95 % intervals of the mean.

# %%
chart = freezing.depth_lines(stored, "leaves", title="Leaves: how much to freeze, by labels")
plots.show(chart, alt="Accuracy on leaves by labels, one line a depth, and from scratch dashed.")

# %% [markdown]
# Where lines cross, the advice changes. Where they run together, take the depth that is cheapest to
# train.

# %% [markdown]
# ## Too much, too little
#
# Claim **freeze-4**: *freezing too much cannot adapt, too little overfits, and a sweet spot lies
# between*. A sweet spot is a depth between the ends that beats both ends. It is chosen on
# validation, never on the test: if you pick the best of several on the test, luck alone will find
# you sweet spots.

# %%
print(lessons.settle("freeze-4"))

# %% [markdown]
# The last sentence says what the search brings, compared with always training everything, if each
# seed chooses on its own small validation set. With few pictures, choosing between five depths is
# partly luck.

# %% [markdown]
# Could you know without trying? Claim **choose-1**: *choose by the size of your data and its
# similarity to the source*. With up to 200 labels: the head alone on the half of the targets
# nearest to photographs (lesson 02's distance), part of the network on the others.

# %%
print(lessons.settle("choose-1"))

# %% [markdown]
# And does a pretrained start at least forgive a wrong learning rate? Claim **tuning-1**: *from
# scratch needs expertise in tuning*. What is lost by taking another rate than the best, as a share
# of the best accuracy on validation: from scratch minus fine-tuning, over targets.

# %%
print(lessons.settle("tuning-1"))

# %% [markdown]
# Claim **freeze-2**: *partial fine-tuning is more accurate* than the head alone, *but needs
# thousands* of labels. Here for materials, from few labels to many. From which count on is it
# ahead?

# %%
runs = evidence.Runs(stored)
counts = runs.counts("materials")
pair = ("frozen to layer2", "head alone")
found = {f"{n:,} labels": runs.compare(*pair, task="materials", labels=n) for n in counts}
sides = {"gain": "partial better", "loss": "head alone better"}
chart = plots.differences(found, **sides, title="Materials: partial fine-tuning minus head alone")
plots.show(chart, alt="; ".join(f"{name}: {each}" for name, each in found.items()))

# %%
print(lessons.settle("freeze-2"))

# %% [markdown]
# Claim **freeze-3**: *full fine-tuning is often best with lots of data and overfits with little*.
# Overfitting shows as a *gap*: accuracy on the training pictures minus accuracy on new ones. Here
# it is for leaves; the darker, the wider.

# %%
leaves = stored[stored.task == "leaves"].assign(gap=stored.train_accuracy - stored.test_accuracy)
gap = leaves.groupby(["strategy", "labels"]).gap.mean().unstack().loc[[*freezing.PRETRAINED]]
gap.columns = [f"{count:,}" for count in gap.columns]
chart = plots.heat_map(gap, title="Leaves: training minus test accuracy, by labels")
plots.show(chart, alt="The gap between training and test accuracy on leaves, by depth and labels.")

# %%
print(lessons.settle("freeze-3"))

# %% [markdown]
# A wide gap alone does no harm. What matters is whether a frozen network does better on *new*
# pictures; that is what the verdict asks. Compare the gaps above with the map of the leaves, column
# by column. More on this in lesson 06.

# %% [markdown]
# ## Start with features?
#
# Claim **freeze-5**: *start with feature extraction; fine-tune only when it has stopped improving*.
# Train the head until it stops improving, then unfreeze everything, at a low rate:

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
# A trained head costs next to nothing, for stored features are cheap. But is it worth anything in
# the end? The stored runs compare five policies. *From the top* opens one stage at a time, layer4
# first. All but *features only* get about the same compute: storing all features costs a third of
# an epoch of full fine-tuning, so whoever begins with them fine-tunes one epoch less.

# %%
policies = evidence.load("sweep_policies")
names = {"spoken_digits": "spoken digits", 50: "50 labels", 200: "200 labels"}
ORDER = [*dict.fromkeys(policies.strategy)]
title = "When to fine-tune, with the same budget (points: seeds)"
chart = freezing.by_group(policies, "task", "labels", ORDER, names, title=title)
plots.show(chart, alt="Five policies on three targets with 50 and 200 labels, with intervals.")

# %% [markdown]
# Compare the circle, fine-tuning at once, with the filled square, features first:

# %%
asked = evidence.Runs(policies)
pair = ("features until they stop, then all", "fine-tune at once")
found = {
    f"{cell['task']}, {cell['labels']}": asked.compare(*pair, **cell)
    for cell in asked.cells("task", "labels")
}
sides = {"gain": "features first better", "loss": "at once better"}
chart = plots.differences(found, **sides, title="Features first minus fine-tuning at once")
plots.show(chart, alt="; ".join(f"{name}: {each}" for name, each in found.items()))

# %%
print(lessons.settle("freeze-5"))

# %% [markdown]
# Two questions are mixed in that advice. Does it help to wait? The chart above answers. Is it
# useful to *look* at the features first? Yes: after seconds of computing you know what to beat.

# %% [markdown]
# ## The freeze slider
#
# Choose a target, labels and a depth. Means and intervals come from the stored runs, the small dots
# are the five seeds of the depth you chose, the dashed lines the controls. The button trains what
# you chose on your machine and puts a black diamond beside the dots. Can you find a target and a
# number of labels where freezing more is better?

# %% tags=["nbval-ignore-output"]
freezing.slider()

# %% [markdown]
# ## Break it
#
# Usually the bottom is frozen. Now freeze the *wrong end*: hold layer3 and layer4, and train the
# stages below them and the head. Predict which does better, then try other stages, or your own
# pictures: `task = tasks.folder("my_photos")`.

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
# `learn_top` gets a network in training mode, nothing frozen, and a task. Write a loop of at least
# ten steps that trains layer3, layer4 and the head. Stem, layer1 and layer2 must not move, neither
# weights nor BatchNorm's notes; the check looks at every step. Everything in `surgery` is allowed,
# `fit` is not.
#
# <details><summary>Hint</summary>The optimizer must know what to move, and each frozen stage must
# be in the right mode.</details>


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


print(freezing.check_held(learn_top))

# %% [markdown]
# ## Exercise 2: a ladder of rates
#
# Complete the dictionary `ladder`, stage to learning rate, for all stages of `resnet10`: 0.01 in
# the head, and in each stage a third of the rate of the one above it.

# %% tags=["exercise"]
ladder = {"head": 1e-2}
### BEGIN SOLUTION
rate = 1e-2
for name in reversed(STAGES):
    ladder[name] = rate
    rate /= 3
### END SOLUTION
print(freezing.check_ladder(ladder))

# %% [markdown]
# ## Exercise 3: the exam
#
# Write `learn_hundred(task)`: it gets a task with 100 labelled leaves and returns a trained
# network. Freeze what you like, choose on `task.val`, leave `task.test` alone. The check draws its
# own hundred. You pass with five points more than the head alone in the stored runs.
#
# <details><summary>Hint</summary>The map has a column for 100 labels. Mirrored leaves are leaves
# too: <code>augment=evidence.flip</code>. Try on <code>clinic</code> first.</details>


# %% tags=["exercise", "nbval-ignore-output"]
def learn_hundred(task):
    model = surgery.replace_head(models.load("resnet10"), len(task.classes))
    # freeze what you like, and train
    ### BEGIN SOLUTION
    surgery.freeze(model, "stem", "layer1")
    train.fit(model, task, epochs=16, lr=3e-3, augment=evidence.flip, progress=False)
    ### END SOLUTION
    return model


print(freezing.check_hundred(learn_hundred))

# %% [markdown]
# ## What you measured
#
# How much to freeze is a setting to try, not a law: the map shows where it matters and where depths
# cannot be told apart. A head alone takes seconds and tells what to beat. Whether BatchNorm's notes
# move in a frozen stage is yours to choose, not to overlook. And a depth is chosen on validation.

# %% [markdown]
# ## Go further
#
# Put `models.load("resnet18")` into *Break it* (`tl-course prefetch resnet18`), with your own
# pictures: does a backbone that has seen a million photographs do better with more of it frozen?
# The whole map can be made again with `python data_scripts/sweep_freezing.py`.
