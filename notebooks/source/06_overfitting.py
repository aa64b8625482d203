# %% [markdown]
# # 99 % in training, 65 % in the test: what happened?
#
# A network that knows its training pictures by heart and fails on new ones *overfits*. Articles
# show it in these two numbers, and name the cure: freeze more, train less. You will make it happen,
# watch it form, and try cures.
#
# **After this lesson you can** read a run's curves, stop in time, write an augmentation, and say
# why a smaller gap need not be a cure.

# %%
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tl_course import evidence, features, lessons, models, plots, practice, tasks, train
from tl_course.lessons import overfitting

leaves = tasks.load("leaves").few(100, seed=0)
known, val = leaves.train, leaves.val
print(leaves)

# %% [markdown]
# ## Predict first
#
# You train all weights on 100 leaves, 20 of each condition, until it names all 100 right. Guessing
# gives 20 of 100. How many of 100 *new* leaves will it name right? Choose, then **Commit**.

# %% tags=["nbval-ignore-output"]
CHOICES = ("80 or more", "60 to 79", "30 to 59", "fewer than 30")
practice.predict("06-test", "Of 100 new leaves, it names right …", CHOICES)

# %% [markdown]
# ## Make it happen
#
# The recipe: a pretrained backbone, a new head of two layers, every weight trained, no remedy of
# any kind, and the last epoch kept.


# %%
def network():
    torch.manual_seed(0)
    model = models.load("resnet10")
    layers = nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, len(leaves.classes))
    model.head = nn.Sequential(*layers)
    return model


# %% [markdown]
# Training is the loop that you know; the learning rate falls to zero along a cosine, as in
# `train.fit`. After every epoch `diary` keeps the network's probabilities for the training leaves
# and for 100 validation leaves.


# %%
def one_epoch(model, optimizer, split):
    model.train()
    for chosen in torch.randperm(len(split)).split(32):
        logits = model(model.preprocess(split.inputs[chosen]))
        loss = F.cross_entropy(logits, split.labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


# %%
def learn(model, split, epochs=20):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    diary = []
    for _ in range(epochs):
        one_epoch(model, optimizer, split)
        schedule.step()
        diary.append([train.predict(model, part.inputs) for part in (split, val)])
    return diary


# %% tags=["nbval-ignore-output"]
model = network()
diary = learn(model, known)
print(
    f"{len(diary)} epochs, probabilities {tuple(diary[0][0].shape)} and {tuple(diary[0][1].shape)}"
)

# %% [markdown]
# ## Watch it form
#
# From probabilities come both measures: *accuracy*, whether the highest one is at the truth, and
# *loss*, minus the log of the probability at the truth. Loss also counts how sure it was.


# %%
def measures(probabilities, labels):
    right = (probabilities.argmax(1) == labels).double().mean().item()
    return F.nll_loss(probabilities.clamp(min=1e-9).log(), labels).item(), right


# %% tags=["nbval-ignore-output"]
curves = {}
for place, (prefix, split) in enumerate((("train", known), ("val", val))):
    found = [measures(epoch[place], split.labels) for epoch in diary]
    # zip turns pairs (loss, accuracy) into two rows
    curves[f"{prefix}_loss"], curves[f"{prefix}_accuracy"] = zip(*found, strict=True)
chart = overfitting.fit_curves(curves, title="100 leaves, all weights trained")
plots.show(chart, alt="Training loss falls to nothing; validation loss turns up; accuracy parts.")

# %% tags=["nbval-ignore-output"]
lowest = int(np.argmin(curves["val_loss"]))
print(f"epoch {lowest + 1}: validation loss {curves['val_loss'][lowest]:.2f}, its lowest")
print(f"epoch {len(diary)}: validation loss {curves['val_loss'][-1]:.2f}, ", end="")
print(f"training loss {curves['train_loss'][-1]:.3f}")

# %% [markdown]
# The ring marks the lowest validation loss. After it, training goes on improving and the loss on
# new leaves gets worse: overfitting. Validation *accuracy* hardly shows it: the *gap* between it
# and training accuracy is large, yet it need not fall.
#
# Now the test set, once:

# %% tags=["nbval-ignore-output"]
probabilities = train.predict(model, leaves.test.inputs)
loss, tested = measures(probabilities, leaves.test.labels)
print(f"training {curves['train_accuracy'][-1]:.0%}, test {tested:.0%}, loss {loss:.2f}")
print(practice.compare("06-test", CHOICES[sum(tested < edge for edge in (0.8, 0.6, 0.3))]))

# %% [markdown]
# ## How sure is it?
#
# How can the loss rise while the accuracy stays? For instance, if the wrong answers get surer. The
# *confidence* of an answer is its probability. Compare the two dashed lines at their right ends:

# %% tags=["nbval-ignore-output"]
sure = {"validation accuracy": curves["val_accuracy"]}
sure |= {"confidence when right": [], "confidence when wrong": []}
for _, asked in diary:
    top, answers = asked.max(1)
    right = answers == val.labels
    sure["confidence when right"].append(top[right].mean().item())
    sure["confidence when wrong"].append(top[~right].mean().item())
chart = overfitting.confidence(sure, title="Mean confidence on validation leaves")
plots.show(chart, alt="Confidence rises with the epochs, on wrong answers nearly as on right ones.")

# %% [markdown]
# A network is *calibrated* if, of all answers given with 80 % confidence, 80 % are right, and so
# for any confidence. To measure it, sort the answers into ten groups by confidence. The mean
# distance between confidence and share right is the *expected calibration error*, ECE (Guo and
# others 2017, arXiv:1706.04599).


# %%
def calibration_error(probabilities, labels, bins=10):
    top, answers = probabilities.max(1)
    right = (answers == labels).float()
    place = (top * bins).long().clamp(max=bins - 1)  # the group of each answer
    groups = [place == index for index in place.unique()]
    return sum(  # larger groups weigh more
        abs(top[g].mean() - right[g].mean()).item() * g.float().mean().item() for g in groups
    )


# %% tags=["nbval-ignore-output"]
errors = [calibration_error(asked, val.labels) for _, asked in diary]
print("ECE on validation, every third epoch:", " ".join(f"{error:.2f}" for error in errors[::3]))
print(f"ECE on the test: {calibration_error(probabilities, leaves.test.labels):.2f}")
chart = overfitting.reliability(probabilities, leaves.test.labels, title="1,000 test leaves")
plots.show(chart, alt="Points lie far below the diagonal: answers are less often right than sure.")

# %% [markdown]
# Each point is a group of answers, with its number of leaves. Below the diagonal the network is
# surer than it should be.

# %% [markdown]
# ## What did it learn by heart?
#
# Look into the features that its last layer sees. For every test leaf, which *training* leaf is
# nearest (by the angle between their features)?


# %% tags=["nbval-ignore-output"]
def directions(split):
    return F.normalize(features.extract(model, split.inputs), dim=1)


nearness, nearest = (directions(leaves.test) @ directions(known).T).max(1)
truth, answers = leaves.test.labels, probabilities.argmax(1)
wrong = answers != truth
for name, chosen in (("right", ~wrong), ("wrong", wrong)):
    same = (answers[chosen] == known.labels[nearest[chosen]]).double().mean()
    print(f"{name} answers that are the label of the nearest training leaf: {same:.0%}")

# %% tags=["nbval-ignore-output"]
surest = (probabilities.max(1).values * wrong).topk(6).indices.tolist()
names, asked, like = leaves.classes, {}, {}
for place, i in enumerate(surest):  # spaces keep captions apart: they are keys of a dictionary
    near = int(nearest[i])
    asked[f"is {names[truth[i]]},\nsays {names[answers[i]]}" + " " * place] = leaves.test.inputs[i]
    like[f"{names[known.labels[near]]}" + " " * place] = known.inputs[near]
chart = plots.photographs((asked, like), "Sure and wrong (top); the training leaf it took each for")
plots.show(chart, alt="Six test leaves named wrong, each above the training leaf nearest to it.")

# %% [markdown]
# Right or wrong, it mostly answers with the label of the training leaf whose features are nearest.
# What do the pairs share: the disease, or ground, light, size and direction?

# %% [markdown]
# ## Memory, not knowledge
#
# A control (after Zhang and others 2017, arXiv:1611.03530): shuffle the 100 labels, so that there
# is nothing to know. What will the training accuracy be?

# %% tags=["nbval-ignore-output"]
torch.manual_seed(1)
shuffled = replace(known, labels=known.labels[torch.randperm(len(known))])
nonsense = learn(network(), shuffled)
found = [[measures(e[0], shuffled.labels), measures(e[1], val.labels)] for e in nonsense]
# a row an epoch → a list for each of the four names
names = "train_loss", "train_accuracy", "val_loss", "val_accuracy"
by_heart = dict(zip(names, np.array(found).reshape(-1, 4).T, strict=True))
chart = overfitting.fit_curves(by_heart, [curves], "Shuffled labels (faint: the true ones)")
plots.show(chart, alt="With shuffled labels, training still ends near 1; validation stays at 0.2.")

# %% [markdown]
# It learns labels that mean nothing too, only later. So a training accuracy near 100 % says that
# the network *can* keep 100 pictures in its 1.3 million weights, and nothing about leaves.

# %% [markdown]
# ## The cures
#
# Five of them; more follow below. *Augment*: show changed copies of the pictures. *Weight decay*:
# pull all weights towards zero. *Dropout*: leave out half of the features at random while training.
# *Freeze and train less*: up to layer2, a fifth of the epochs. *Twice the labels*: label 100 more
# leaves. Which adds most to the test accuracy? Choose, then **Commit**.

# %% tags=["nbval-ignore-output"]
CURES = ("freeze and train less", "augment", "weight decay", "dropout", "twice the labels")
practice.predict("06-cure", "Most points on new leaves come from …", CURES)

# %% [markdown]
# **Stop early.** Keep the weights of the best epoch instead of the last. The epoch is chosen on
# validation, and `train.fit` does it by itself: `keep="best"`.

# %% tags=["nbval-ignore-output"]
best, kept = 0.0, None
for epoch, (_, asked) in enumerate(diary, 1):
    if (right := measures(asked, val.labels)[1]) > best:
        best, kept = right, epoch  # while training, copy the weights here
print(f"kept: epoch {kept} with {best:.2f}; the last one has {curves['val_accuracy'][-1]:.2f}")

# %% [markdown]
# The best of many noisy values is in part luck: with 100 validation leaves, one leaf is a point.
# Only the test can say what was gained.
#
# **Weight decay.** Every step shrinks all weights a little, so only those that the loss asks for
# again and again stay large. AdamW multiplies by 1 − rate × decay:

# %%
weight = nn.Parameter(torch.ones(1))
weight.grad = torch.zeros(1)  # the loss does not ask for it
optimizer = torch.optim.AdamW([weight], lr=1e-3, weight_decay=10)
for _ in range(120):
    optimizer.step()
print(f"1 after 120 steps: {weight.item():.2f}; (1 - 0.001 * 10) ** 120 = {0.99**120:.2f}")

# %% [markdown]
# **Dropout.** In training, each feature before the last layer is set to zero with probability one
# half, and the others are doubled, so no answer can depend on a single one. In eval mode nothing is
# dropped.

# %%
torch.manual_seed(0)
dropout = nn.Dropout(0.5)
print("training:  ", dropout(torch.ones(8)).tolist())
print("evaluation:", dropout.eval()(torch.ones(8)).tolist())

# %% [markdown]
# **Augment.** Show each leaf a little differently in every epoch. Its condition must stay the same:
# so mirror it, shift it, change the light, and leave the colours alone.


# %%
def augment(pictures):
    mirrored = torch.rand(len(pictures)) < 0.5
    pictures = torch.where(mirrored.view(-1, 1, 1, 1), pictures.flip(3), pictures)
    down, right = torch.randint(-8, 9, (2,)).tolist()
    light = 0.8 + 0.4 * torch.rand(len(pictures), 1, 1, 1)
    shifted = pictures.roll((down, right), (2, 3))
    return (shifted * light).clamp(0, 255).to(torch.uint8)


# %% tags=["nbval-ignore-output"]
torch.manual_seed(0)
shown = torch.cat([augment(known.inputs[:3]) for _ in range(8)])
chart = plots.contact_sheet(shown, torch.arange(24) % 3, ("one leaf", "another", "a third"))
plots.show(chart, alt="Three leaves, each eight times: mirrored, shifted, lighter or darker.")

# %% [markdown]
# The stored runs use `overfitting.augmented`, which shifts each picture by itself and fills in with
# its edge. And `overfitting.learn` is the recipe in one call, with `train.fit` and 30 epochs; any
# part of it may be changed. The second cell changes three.

# %% tags=["nbval-ignore-output"]
print(overfitting.RECIPE)
_, recipe = overfitting.learn(leaves, seed=0)
print(f"training {recipe.train_accuracy[-1]:.2f}, validation {recipe.val_accuracy[-1]:.2f}")

# %% tags=["nbval-ignore-output"]
_, changed = overfitting.learn(leaves, seed=0, frozen="layer3", augment=True, dropout=0.5)
print(f"training {changed.train_accuracy[-1]:.2f}, validation {changed.val_accuracy[-1]:.2f}")

# %% [markdown]
# ## What is each cure worth?
#
# One run and 100 validation leaves say little. The stored runs have five seeds, the whole test set,
# and three tasks: leaves, satellite scenes, sketches. Each cure is compared with the same seed
# without it. New here: *train less* is a fifth of the epochs, *smaller head* has one linear layer,
# *all but labels* is every cure at once, frozen to layer2.
#
# Blue: it helps. Orange: it hurts. Grey: five seeds cannot tell.

# %%
stored = evidence.load("sweep_cures")
print("made with:", stored.attrs["command"])
chart = overfitting.cures(stored, title="What each cure is worth")
effects = stored.groupby("strategy", sort=False).test_balanced.mean()
effects = 100 * (effects - effects["no cure"]).drop("no cure")
alt = "Mean over tasks, in points: " + ", ".join(f"{n} {e:+.0f}" for n, e in effects.items())
plots.show(chart, alt=alt)

# %%
runs = evidence.Runs(stored)
for name in [*overfitting.CURES][1:]:
    found = [runs.compare(name, "no cure", **cell) for cell in runs.cells("task", "labels")]
    # sign is -1, 0 or 1
    shown = "  ".join(f"{100 * each.effect:+5.1f} {'-0+'[each.sign + 1]}" for each in found)
    print(f"{name:22} {shown}")
print("after each number, + or -: the interval lies on that side of zero; 0: cannot be told")

# %% tags=["nbval-ignore-output"]
print(practice.compare("06-cure", effects[[*CURES]].idxmax()))

# %% [markdown]
# Look first at *twice the labels*, which is no cure but more data, and compare the others with it.
# Then ask of each cure whether it is blue on all three tasks.

# %% [markdown]
# ## A smaller gap is not a better network
#
# Purple: right in training. Red: right in the test. The bar between them is the gap. The dotted
# line is the test accuracy without any cure; the best in the test stands on top.

# %%
here = stored[stored.task == "leaves"]
chart = overfitting.gaps(here, title="Leaves, 100 labels: training and test")
means = here.groupby("strategy")[["train_accuracy", "test_accuracy"]].mean()
text = [f"{n} {r.train_accuracy:.2f} and {r.test_accuracy:.2f}" for n, r in means.iterrows()]
plots.show(chart, alt="Training and test: " + "; ".join(text))

# %%
gap = means.train_accuracy - means.test_accuracy
least, best = gap.idxmin(), means.test_accuracy.idxmax()
print(f"smallest gap: {least} ({gap.min():.2f}), test {means.test_accuracy[least]:.2f}")
print(f"best in the test: {best} ({means.test_accuracy.max():.2f}), gap {gap[best]:.2f}")
print(f"correlation of gap and test accuracy: {gap.corr(means.test_accuracy):+.2f}")

# %% [markdown]
# The gap has two ends. It shrinks if the test rises, and also if training merely falls. If you
# watch the gap alone, you may choose a network that learned less of everything. Watch the red end.

# %% [markdown]
# ## Does freezing protect?
#
# The stored runs of lesson 04 tried every depth on six tasks, here with 50 labels; learning rate
# and epoch were chosen on validation. Each line is a task: left all weights trained, right the
# head alone. Does the gap shrink from left to right, and does the test get better?
#
# Training accuracy was measured while it learned: where an early epoch was chosen, the gap may be
# small because little had been learned.

# %%
frozen = evidence.load("sweep_freezing")
small = frozen[frozen.labels == 50]
DEPTHS = ("fine-tuning", "frozen to layer1", "frozen to layer2", "frozen to layer3", "head alone")


def tables(column):  # for each task a row a seed, a column a depth
    wide = {
        t: rows.pivot(index="seed", columns="strategy", values=column)[[*DEPTHS]]
        for t, rows in small.groupby("task")
    }
    short = ("nothing", "to layer1", "to layer2", "to layer3", "all but head")
    return {task: table.set_axis(short, axis=1) for task, table in wide.items()}


# %%
small = small.assign(gap=small.train_accuracy - small.test_accuracy)
chart = plots.by_stage(tables("gap"), "training minus test", title="The gap, 50 labels")
gaps = small.groupby("strategy").gap.mean()
plots.show(chart, alt="Mean gap: " + ", ".join(f"{name} {gaps[name]:.2f}" for name in DEPTHS))

# %%
table = tables("test_balanced")
chart = plots.by_stage(table, "balanced test accuracy", title="The test, 50 labels")
tests = small.groupby("strategy").test_balanced.mean()
plots.show(chart, alt="Mean in the test: " + ", ".join(f"{n} {tests[n]:.2f}" for n in DEPTHS))

# %% [markdown]
# The same with 25, 50 and 100 labels, as means over the tasks:

# %%
tiny = frozen[frozen.labels.isin((25, 50, 100)) & frozen.strategy.isin(DEPTHS)]
tiny = tiny.assign(gap=tiny.train_accuracy - tiny.test_accuracy)
for column in ("gap", "test_balanced"):
    wide = tiny.pivot_table(column, "labels", "strategy")[[*DEPTHS]]
    print(f"{column}\n{wide.round(2).to_string()}\n")

# %% [markdown]
# A smaller gap is not yet protection; a better test is.

# %% [markdown]
# ## The claims
#
# **fit-1**: *overfitting on a tiny set looks like 99 % in training, 65 % in the test.* Two rows a
# task: does the recipe reach 99 %, and stay below 65 %?
#
# **fit-2**: *the cure is to freeze more and train less.* Both together, against no cure.
#
# **freeze-6**: *freezing protects small sets.* Freezing to layer3 against training everything, with
# 25 to 100 labels.

# %%
for claim in ("fit-1", "fit-2", "freeze-6"):
    print(lessons.settle(claim), end="\n\n")

# %% [markdown]
# ## Reading curves
#
# Six real runs, made now from stored features of leaves and digits. Each shows something else: it
# overfits, *underfits* (has not learned even its training pictures), fits well, its learning rate
# is too high, its validation set is too small, or the validation pictures *leaked* into training.
# Which is which?

# %% tags=["nbval-ignore-output"]
overfitting.which_is_overfitting()

# %% [markdown]
# ## Overfitting lab
#
# Choose cures and press **Train**; the curves grow while it learns. A run shows at most 3,000
# pictures (labels times epochs), which takes about ten seconds. Faint curves are your last runs.
# The test set has a button of its own, and the lab counts how often you open it.

# %% tags=["nbval-ignore-output"]
overfitting.lab(recipe)

# %% [markdown]
# ## Break it: choose on the test
#
# Suppose you have no validation set, try all cures, open the test set for each, and report the best
# number. Play it with the stored runs: for each seed the best cure in the test, the accuracy it
# *promised* there, and what the same cure *gave* on average with the other seeds.

# %%
wide = here[here.strategy != "twice the labels"]
wide = wide.pivot(index="seed", columns="strategy", values="test_accuracy")
best = wide.idxmax(axis=1)
promised = np.array([wide.loc[seed, name] for seed, name in best.items()])
given = np.array([wide[name].drop(seed).mean() for seed, name in best.items()])
for seed, name in best.items():
    print(f"seed {seed}: {name:22} promised {wide.loc[seed, name]:.2f}")
print(f"promised {promised.mean():.3f} on average, given to others {given.mean():.3f}")

# %% [markdown]
# Now change the recipe: with how few epochs does it no longer know its leaves by heart? And is
# validation any better for it?

# %% tags=["nbval-ignore-output"]
LABELS, EPOCHS = 25, 12

_, broken = overfitting.learn(tasks.load("leaves").few(LABELS, seed=0), seed=0, epochs=EPOCHS)
print(f"training {broken.train_accuracy[-1]:.2f}, validation {broken.val_accuracy[-1]:.2f}")

# %% [markdown]
# ## Exercise 1: stop in time
#
# `val_losses` is a list, one validation loss an epoch. Training stops as soon as `patience` epochs
# in a row were no better than the best before them; later losses must not count. Return the epoch
# with the lowest loss so far, counted from 1. Equal is not better, and NaN (not a number) never is.
#
# <details><summary>Hint</summary>Begin with a best loss of infinity. Any comparison with NaN is
# false.</details>


# %% tags=["exercise"]
def stop_after(val_losses, patience):
    kept = 0
    ### BEGIN SOLUTION
    best = float("inf")
    for epoch, loss in enumerate(val_losses, 1):
        if loss < best:
            best, kept = loss, epoch
        elif epoch - kept >= patience:
            break
    ### END SOLUTION
    return kept


print(overfitting.check_stopping(stop_after))

# %% [markdown]
# ## Exercise 2: change all but the label
#
# What may change in a photograph of a leaf while rust stays rust? Go beyond
# `overfitting.augmented`. Pictures are uint8, (N, 3, 64, 64), before and after. Change each at
# random, in its own way, not in place. A trained reader must still recognise most.
#
# <details><summary>Hint</summary>A leaf has no up and down: <code>picture.rot90(k, (1, 2))</code>.
# Or enlarge a part: <code>F.interpolate(part, 64)</code>.</details>


# %% tags=["exercise"]
def my_augment(pictures):
    new = []
    for picture in pictures:
        ### BEGIN SOLUTION
        picture = picture.rot90(int(torch.randint(4, ())), (1, 2))
        size = int(torch.randint(44, 65, ()))
        top, left = torch.randint(0, 65 - size, (2,)).tolist()
        part = picture[None, :, top : top + size, left : left + size].float()
        picture = F.interpolate(part, 64, mode="bilinear")[0].round().to(torch.uint8)
        ### END SOLUTION
        new.append(picture)
    return torch.stack(new)


print(overfitting.check_augmentation(my_augment))

# %% [markdown]
# ## Exercise 3: better, and closer together
#
# Train `better` on the same 100 leaves and no others. It must name at least 48 % of unseen leaves
# right, with a gap of at most 48 points. `train.fit` takes `augment=`, `weight_decay=`, `keep=`;
# `overfitting.build(5, seed=0)` makes a network and takes `frozen=`, `dropout=`, `hidden=` (0: one
# linear layer).
#
# <details><summary>Hint</summary>Which cures leave training at 100 %? What did you write in
# exercise 2?</details>

# %% tags=["exercise"]
better = model  # the recipe's network, from above
### BEGIN SOLUTION
better = overfitting.build(len(leaves.classes), seed=0, hidden=0, dropout=0.5)


def both(pictures):
    return overfitting.augmented(my_augment(pictures))


rest = {"weight_decay": 10.0, "keep": "last", "progress": False}
train.fit(better, leaves, epochs=30, lr=1e-3, augment=both, **rest)
### END SOLUTION
print(overfitting.check_smaller_gap(better, leaves))

# %% [markdown]
# ## What you measured
#
# A pretrained network with all weights free learns 100 pictures by heart, even with shuffled
# labels, and grows sure of its answers. Then the training accuracy tells nothing, the gap a little;
# the test tells. The stored runs say what each cure is worth, and what twice the labels are.

# %% [markdown]
# ## Go further
#
# Put your own pictures into the recipe, `tasks.folder("my_photos")`, a folder for each class, and
# see which end of the gap your cures move. Lesson 05 says what more labels are worth.
