# %% [markdown]
# # How many labels, how much time does it save?
#
# Labels cost money, and training costs time. Articles promise that a pretrained network needs a
# *fraction* of both. Which fraction? Here you turn *better* into numbers: how many labels, how many
# epochs, how much computing.
#
# **After this lesson you can** draw a learning curve, read off what pretraining is worth in labels,
# compare two *starts* (pretrained, from scratch) fairly, and plan a budget.

# %%
import re
import time
from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from tl_course import evidence, lessons, models, plots, practice, store, surgery, tasks, train
from tl_course.lessons import labels

digits = tasks.load("digits")

# %% [markdown]
# ## Predict first
#
# You fine-tune the pretrained network on 50 labelled leaves and note its accuracy. Someone else
# starts from scratch and labels leaves until their network is as good. How many times your 50 do
# they need? Choose, then **Commit**.

# %% tags=["nbval-ignore-output"]
CHOICES = ("up to 1.5 times", "1.5 to 4 times", "4 to 10 times", "over 10 times")
practice.predict("05-worth", "From scratch, the same accuracy needs …", CHOICES)

# %% [markdown]
# ## A learning curve
#
# Curves over epochs follow one network while it learns. A *learning curve* over the *number of
# labels* asks what more labels would bring: every point is a network of its own, trained to the end
# and tested once. Here are six, on handwritten digits. Fewer labels get more epochs, so that every
# network takes enough steps.


# %%
def learn(pretrained, few, epochs, watch=None):
    torch.manual_seed(0)
    model = surgery.replace_head(models.load("resnet10", pretrained), len(few.classes))
    title = f"{'fine-tuning' if pretrained else 'from scratch'}, {len(few.train)} labels"
    train.fit(model, few, epochs, lr=1e-3, watch=watch, progress=title)
    return model


# %%
LABELS = {25: 20, 50: 14, 100: 8}  # labels → epochs


def curve(pretrained):
    heights = []
    for count, epochs in LABELS.items():
        model = learn(pretrained, digits.few(count, seed=0), epochs)
        heights.append(train.evaluate(model, digits.test).balanced_accuracy)
    return heights


# %% tags=["nbval-ignore-output"]
found = {"fine-tuning": curve(pretrained=True)}

# %% tags=["nbval-ignore-output"]
found["from scratch"] = curve(pretrained=False)

# %% tags=["nbval-ignore-output"]
ax = plots.axes(6.4, 3.6, "Digits: your learning curves, one run each")
for name, heights in found.items():
    ax.plot([*LABELS], heights, "o-", color=plots.COLOURS[name], linewidth=2.4)
    place = {"textcoords": "offset points", "color": plots.COLOURS[name], "weight": "bold"}
    ax.annotate(name, (100, heights[-1]), (10, -4), **place)
    print(f"{name:13}", "  ".join(f"{value:.2f}" for value in heights))
ax.set(xscale="log", ylim=(0, 1), xlabel="labelled digits", ylabel="balanced test accuracy")
ax.set_xticks([*LABELS], [*LABELS])
ax.minorticks_off()
plots.show(ax, alt="Balanced test accuracy on digits with 25, 50 and 100 labels, both starts.")

# %% [markdown]
# Compare the two starts with 25 labels, then with 100. The lower axis is *logarithmic*: equal steps
# to the right multiply the labels by the same number. Twice as many labels is always the same
# distance. That suits labels, for the first hundred teach more than the tenth hundred.

# %% [markdown]
# ## Six targets, five seeds
#
# The stored runs of lesson 04 give such curves for six targets. Learning rates were searched for
# every start and target alike. Green is the head alone, grey the *control*: a head on a random
# backbone. The dotted line is guessing. Look where blue and orange meet, and where they do not.

# %%
stored = evidence.load("sweep_freezing")
print("made with:", stored.attrs["command"])
TARGETS = {"materials": "materials", "satellite": "satellite scenes", "leaves": "leaves"}
TARGETS |= {"digits": "digits", "spoken_digits": "spoken digits", "pneumonia": "chest X-rays"}
STARTS = ("fine-tuning", "head alone", "from scratch", "head on random backbone")
guess = {task: 1 / count for task, count in labels.CLASSES.items()}
title = "Balanced test accuracy by number of labels"
chart = labels.by_target(stored, TARGETS, dict(zip(STARTS, STARTS, strict=True)), guess, title)
# for the text alternative: the means with 50 labels
at_50 = evidence.means(stored).xs(50, level="labels").loc[[*TARGETS], [*STARTS]].round(2)
plots.show(chart, alt=f"Learning curves of six targets. With 50 labels: {at_50.to_dict('index')}")

# %% [markdown]
# Bands are 95 % intervals of the mean. Some targets end at 500 labels because they have fewer than
# 1,000 training pictures.
#
# Claim **why-1**, *with a small labelled set, pretrained beats from scratch*, was settled in lesson
# 00 with 200 labels. Here is the difference with 50:

# %%
runs = evidence.Runs(stored)
for task in TARGETS:
    print(f"{task:14}", runs.compare("fine-tuning", "from scratch", task=task, labels=50))

# %% [markdown]
# ## Worth so many labels
#
# Do not compare heights; go sideways. Start at fine-tuning with 50 labels and go right, at the same
# height, until you meet the curve from scratch. Between two measured points, read the straight line
# that joins them. The axis is logarithmic, so the line runs over the logarithm of the labels.
# `np.interp(height, heights, places)` reads it.

# %%
leaves = evidence.means(stored).loc["leaves"]
alone = leaves["from scratch"].cummax()  # the best so far: labels can be left unused
wanted = leaves.loc[50, "fine-tuning"]
needed = np.exp(np.interp(wanted, alone, np.log(alone.index)))
print(f"fine-tuning, 50 labels: {wanted:.2f} right")
print(f"from scratch, the same: {needed:.0f} labels, {needed / 50:.1f} times as many")
print("reached:", bool(wanted <= alone.iloc[-1]))  # np.interp does not warn where the curve ends

# %%
chart = labels.worth_in_labels(stored, "leaves", 50, title="Leaves: what pretraining is worth")
plots.show(chart, alt=f"An arrow from fine-tuning, 50 labels, to from scratch, {needed:.0f}.")

# %% [markdown]
# The arrow is what pretraining is worth. That was the mean curve; `labels.times_the_labels` does
# the same for every seed. Where from scratch never gets there, `needed` is the most labels measured
# and `beyond` is true: the number is a *lower bound*, and the honest word is *more than*.
#
# `labels.factor` takes the mean over seeds: of the logarithms, because factors multiply.

# %%
table = labels.times_the_labels(stored, "leaves", 50)
print(table.round(2).to_string(index=False))
worth = {task: labels.factor(labels.times_the_labels(stored, task, 50)) for task in TARGETS}
for task, factor in worth.items():
    print(f"{task:14} {factor}")

# %% tags=["nbval-ignore-output"]
measured = CHOICES[sum(worth["leaves"].times > edge for edge in (1.5, 4, 10))]
print(practice.compare("05-worth", measured))

# %% [markdown]
# An interval that contains 1 says that pretraining may be worth no label at all. Below 1, from
# scratch needs *fewer*; 0.5 is the least this table can say, for fewer than 25 labels were not
# measured. All of it depends on the count you start from: try 25 or 200.

# %% [markdown]
# Claim **why-2**: *it needs a fraction of the labels for the same accuracy.* The verdict asks of
# every target whether half the labels do: 50 instead of 100, 100 instead of 200.

# %%
print(lessons.settle("why-2"))

# %% [markdown]
# ## How many epochs?
#
# Now the labels stay the same, and you measure time. From scratch gets four times the epochs. `fit`
# calls `watch` after every epoch; here it notes the validation accuracy and the seconds so far.


# %%
def follow(pretrained, epochs):
    seen, started = [], time.perf_counter()

    def note(number, epoch):
        seen.append((epoch.val_accuracy, time.perf_counter() - started))

    learn(pretrained, digits.few(100, seed=1), epochs, watch=note)
    return np.array(seen).T


# %% tags=["nbval-ignore-output"]
tuned, tuned_seconds = follow(True, 6)
scratch, scratch_seconds = follow(False, 24)
curves = {"fine-tuning": tuned, "from scratch": scratch}
chart = plots.learning_curves(curves, chance=0.1, title="Digits, 100 labels, while they learn")
plots.show(chart, alt="Validation accuracy by epoch, fine-tuning for 6 and from scratch for 24.")

# %% [markdown]
# Which epoch of fine-tuning is as good as the *best* of all epochs from scratch? The best of many
# tries is partly luck, so this favours from scratch, which has more of them.

# %% tags=["nbval-ignore-output"]
best = scratch.max()
theirs = int(scratch.argmax())
passed = np.flatnonzero(tuned >= best)
print(f"from scratch: {best:.2f} in epoch {theirs + 1}, after {scratch_seconds[theirs]:.1f} s")
if len(passed):
    ours = passed[0]
    print(f"fine-tuning: {tuned[ours]:.2f} in epoch {ours + 1}, after {tuned_seconds[ours]:.1f} s")
else:
    print(f"fine-tuning: never; its best was {tuned.max():.2f}")

# %% [markdown]
# That was one run. The stored ones have 200 labels, five seeds and four targets. The dotted line is
# the best from scratch, the mean of the seeds' best epochs. It lies above the orange curve because
# each seed has its best in another epoch. Where does blue cross the dotted line, if it does?

# %%
epochs = evidence.load("sweep_epochs")
shown = {task: title for task, title in TARGETS.items() if task in set(epochs.task)}
chart = labels.by_epoch(epochs, shown, title="Validation accuracy by epoch, 200 labels")
plots.show(chart, alt="Four panels by epoch: fine-tuning for 12 epochs, from scratch for 48.")

# %%
for task in shown:
    table = labels.epochs_needed(epochs, task)
    # factor reads the columns times and beyond
    seconds = labels.factor(table.assign(times=table.seconds_times, beyond=False))
    fewer = labels.factor(table.assign(beyond=False))
    print(f"{task:14} epochs: {fewer}; never there: {table.missed.sum()}")
    print(f"{'':14} seconds: {seconds}")

# %% [markdown]
# *4 times* means that from scratch took four times as many. To be fair, from scratch counts as
# there once it is within one point of its best. *Never there* counts seeds in which fine-tuning,
# with its fewer epochs, did not reach that best; they count as if it had taken all those from
# scratch. An epoch costs both starts the same, so seconds follow epochs.
#
# Claim **why-3**: *it needs fewer epochs and less time to converge.*

# %%
print(lessons.settle("why-3"))

# %% [markdown]
# That also answers a doubt about the curves above, where both starts had the same epochs: did from
# scratch only need longer? Four times the epochs, against the runs above, in the test:

# %%
for task in shown:
    helped, alone = (
        runs.cell(task=task, labels=200, strategy=s) for s in ("fine-tuning", "from scratch")
    )
    longer = evidence.Runs(epochs).cell(task=task, labels=200, strategy="from scratch")
    print(f"{task:14} longer from scratch brings {evidence.paired(longer, alone)}")
    print(f"{'':14} fine-tuning stays ahead by {evidence.paired(helped, longer)}")

# %% [markdown]
# Where the first line lies above zero, the curves above make from scratch look worse than it is;
# the second line says what is left then. With more labels, and so fewer epochs, it may matter more.

# %% [markdown]
# ## The bill
#
# Someone trained the source network first. Count its work in *multiply-adds*: one multiplication
# and one addition, what a layer does for each of its weights at each place. PyTorch can count them
# while a network runs: *forward*, from picture to answer, and *backward*, to find how the weights
# must change.


# %%
def multiply_adds(model, pictures, labels, backward):
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(backward):
        loss = F.cross_entropy(model(model.preprocess(pictures)), labels)
        if backward:
            loss.backward()
    return counter.get_total_flops() / 2 / len(labels)  # it counts a multiply-add as two


network = models.load("resnet10").eval()
few = digits.train.inputs[:8], digits.train.labels[:8]
forward, both = (multiply_adds(network, *few, backward) for backward in (False, True))
print(f"a picture forward: {forward / 1e6:.0f} million; and backward: {both / 1e6:.0f} million")

# %% [markdown]
# How many pictures went through? The package keeps the command that made `resnet10`; it says how
# many epochs. Each of the 200 classes had 390 training pictures. Adapting shows each of your
# labelled pictures once an epoch; `pace` gives the epochs of the stored runs for a number of
# labels. A frozen backbone sees each picture only once, and never backward.

# %%
recipe = store.manifest()["resnet10"]["recipe"]
print(recipe)
# the number after --epochs
passes = 390 * len(network.classes) * int(re.search(r"--epochs (\d+)", recipe)[1])
head = 2 * network.head.in_features * 10  # forward, and backward to its weights; ten classes
bill = {
    "pretraining, once": passes * both,
    "from scratch, 10,000 labels": 10_000 * evidence.pace(10_000)[0] * both,
    "fine-tuning, 200 labels": 200 * evidence.pace(200)[0] * both,
    "head alone, 200 labels": 200 * (forward + evidence.pace(200)[0] * head),
}

# %%
chart = labels.costs(bill, title="What training costs")
plots.show(chart, alt="; ".join(f"{name}: {cost:.1e}" for name, cost in bill.items()))
saved = bill["from scratch, 10,000 labels"] - bill["fine-tuning, 200 labels"]
print(f"{bill['pretraining, once'] / bill['fine-tuning, 200 labels']:,.0f} fine-tunings for one")
print(f"paid back after {bill['pretraining, once'] / saved:,.0f} uses, in computing alone")

# %% [markdown]
# If each use replaces a training from scratch
# on 10,000 labels, that many uses pay for the source. Computing alone is counted here, not the
# labels you save; and the source is trained once, for everybody.
#
# In hours, at the speed of your own run above:

# %% tags=["nbval-ignore-output"]
pace_now = 6 * 100 / tuned_seconds[-1]  # pictures a second, validation included
print(f"your machine: {pace_now:,.0f} pictures a second")
print(f"pretraining {passes / pace_now / 3600:.1f} h, fine-tuning {200 * 12 / pace_now:.0f} s")

# %% [markdown]
# `resnet10` is small. The articles speak of far larger networks and collections, and of weeks.
#
# Claim **why-4**: *computing the source is expensive once, adapting it is cheap.*

# %%
print(lessons.settle("why-4"))

# %% [markdown]
# ## When does from scratch catch up?
#
# Subtract, seed by seed, for every count of labels, and follow each panel from left to right. Blue:
# fine-tuning is ahead. Hollow: the interval meets zero, the two cannot be told apart. Orange: from
# scratch is ahead.

# %%
title = "Fine-tuning minus from scratch, by number of labels"
chart = labels.gains_by_labels(stored, TARGETS, title=title)
# for the text alternative: the difference with the most labels
last = stored[stored.labels == stored.groupby("task").labels.transform("max")]
ends = evidence.means(last)["fine-tuning"] - evidence.means(last)["from scratch"]
plots.show(chart, alt=f"Differences by labels. With the most: {ends.round(2).to_dict()}")

# %%
for task in TARGETS:
    counts = runs.counts(task)
    gains = {n: runs.compare("fine-tuning", "from scratch", task=task, labels=n) for n in counts}
    met = [f"{n:,}" for n, found in gains.items() if found.sign <= 0]
    print(f"{task:14} with {counts[-1]:,}: {gains[counts[-1]]}")
    print(f"{'':14} not ahead with: {', '.join(met) or 'none of the counts measured'}")

# %% [markdown]
# A difference can be small at both ends: with few labels because neither start has learned much,
# with many because both have. And with many labels both starts had few epochs: from scratch might
# catch up with more of them; *Break it* lets you try.
#
# Claim **why-5**: *with abundant labels the advantage shrinks; from scratch can catch up.*

# %%
print(lessons.settle("why-5"))

# %% [markdown]
# ## Are 100 enough?
#
# Claim **data-1**: *sometimes 100 examples are enough; 1,000 or more is a usual aim.*
#
# *Enough* needs a measure. Take the way from guessing to what fine-tuning reaches with the most
# labels measured: what share of it have you gone with 100, with 1,000? At 90 %, the dotted line, we
# say enough. More labels than we have would move the goal.


# %%
def way(task, labels):
    most = runs.counts(task)[-1]
    here, goal = (runs.cell(task=task, labels=n, strategy="fine-tuning") for n in (labels, most))
    return (here - guess[task]) / (goal.mean() - guess[task])


larger = {task for task in TARGETS if stored[stored.task == task].labels.max() > 1000}
shares = {
    title: {f"{n:,} labels": way(task, n) for n in (100, 1000) if n == 100 or task in larger}
    for task, title in TARGETS.items()
}

# %%
chart = labels.shares(shares, title="How far fine-tuning gets")
hundred = ", ".join(f"{name} {found['100 labels'].mean():.0%}" for name, found in shares.items())
plots.show(
    chart, alt=f"Share of the way with 100 labels: {hundred}; 1,000 labels where there are more."
)
print(lessons.settle("data-1"))

# %% [markdown]
# One number does not fit all targets: compare the longest way gone with 100 labels and the
# shortest. For your own data, draw the learning curve, and say how good is good enough.
#
# Claim **data-2**: *1,000 to 10,000 examples are not enough to train from scratch*. With 1,000 and
# with 2,000, against fine-tuning:

# %%
print(lessons.settle("data-2"))

# %% [markdown]
# ## The five rows
#
# One article ends in a table: five situations, and whether pretraining helps. Claim **sim-1** is
# that table. Here it is with the measured differences, fine-tuning minus from scratch, under each
# heading. Which *domains* (kinds of data) are similar is not ours to say: the targets stand in the
# order of lesson 02's distance from photographs. The nearer half is *similar*, the farthest
# *unrelated*.

# %%
near, far = evidence.near_and_far(TARGETS)
ROWS = {
    "limited data: helps a lot": {},
    "similar domain: helps a lot": dict.fromkeys(near, 200),
    "different domain: maybe": dict.fromkeys(far[:-1], 200),
    "abundant data: helps less": {t: stored[stored.task == t].labels.max() for t in sorted(larger)},
    "unrelated: may not help, or hurt": {far[-1]: 200},
}

# %%
rows = {}
for heading, cells in ROWS.items():
    rows[heading] = None  # a heading in the chart
    for task, n in cells.items():
        gain = runs.compare("fine-tuning", "from scratch", task=task, labels=n)
        rows[f"{TARGETS[task]}, {n:,}"] = gain
    if not cells:
        each = [runs.row("fine-tuning", "from scratch", task=t, labels=50) for t in TARGETS]
        rows["mean over targets, 50"] = evidence.overall(each)
sides = {"gain": "helps", "loss": "hurts"}
chart = plots.differences(rows, **sides, title="The table, measured: target, labels")
plots.show(chart, alt="; ".join(f"{name}: {found}" for name, found in rows.items() if found))

# %%
print(lessons.settle("sim-1"))

# %% [markdown]
# *Maybe* cannot fail, so the rule asks for the other four. Compare its sentence with the chart:
# what is far away gains, too. Lesson 08 looks for cases that hurt.

# %% [markdown]
# ## Label exchange
#
# Choose a target and the accuracy you want. The diamonds mark how many labels each strategy needs.
# Find an accuracy that fine-tuning reaches and from scratch does not, and a target where both need
# about as many labels.

# %% tags=["nbval-ignore-output"]
labels.exchange()

# %% [markdown]
# ## Break it
#
# Try another target (`leaves`, `materials`, `digits`), other labels, other epochs. Can you find a
# setting in which from scratch wins? Give it more epochs than fine-tuning; is that fair?

# %% tags=["nbval-ignore-output"]
TARGET, COUNT, EPOCHS = "materials", 60, {"fine-tuning": 12, "from scratch": 12}

few = tasks.load(TARGET).few(COUNT, seed=2)
for name, epochs_now in EPOCHS.items():
    model = learn(name == "fine-tuning", few, epochs_now)
    print(f"{name}, {COUNT} labels: {train.evaluate(model, few.test).balanced_accuracy:.2f}")

# %% [markdown]
# ## Exercise 1: read the curve
#
# With how many labels does a curve reach the accuracy `wanted`? `counts` (rising) and `accuracies`
# are arrays. Read as above: the best so far, straight lines over the logarithm of the labels. If
# the first point is enough, return its count; if none is, `None`.
#
# <details><summary>Hint</summary>One cell under <em>Worth so many labels</em> does nearly all.
# What does <code>np.interp</code> say beyond the last point?</details>


# %% tags=["exercise"]
def labels_needed(counts, accuracies, wanted):
    """Labels at which the curve reaches ``wanted``, or None."""
    ### BEGIN SOLUTION
    best = np.maximum.accumulate(accuracies)
    if wanted > best[-1]:
        return None
    return float(np.exp(np.interp(wanted, best, np.log(counts))))
    ### END SOLUTION


print(labels.check_labels_needed(labels_needed))

# %% [markdown]
# ## Exercise 2: plan a budget
#
# Promise a customer 60 % balanced accuracy on leaves. A label costs 50 cents, and validation
# needs as many again (50 to 500): `labels.plan_cost(labels)`. Find the cheapest plan, a start
# from `set(stored.strategy)` and a measured count, whose whole 95 % interval keeps the promise. The
# check shows the interval.
#
# <details><summary>Hint</summary>Or loop: <code>values = runs.cell(task="leaves", labels=labels,
# strategy=start)</code>; the interval begins at <code>evidence.paired(values,
# np.zeros(5)).low</code>.
# </details>

# %% tags=["exercise"]
plan = {"start": "from scratch", "labels": 100}
### BEGIN SOLUTION
for count in sorted(set(stored[stored.task == "leaves"].labels), reverse=True):
    for start in sorted(set(stored.strategy)):
        values = runs.cell(task="leaves", labels=count, strategy=start)
        if evidence.paired(values, np.zeros(len(values))).low >= 0.6:
            plan = {"start": start, "labels": count}
### END SOLUTION
print(labels.check_plan(plan))

# %% [markdown]
# ## Exercise 3: mend the comparison
#
# `duel` says how much better fine-tuning is than from scratch, and is unfair in several ways.
# `train_it(start, task, epochs, lr)` gives the validation accuracy and the model; `test(model)`
# gives its test accuracy. `replace` copies a task with another validation set.


# %%
def duel(task, train_it, test):
    ours, theirs = replace(task.few(100, seed=0), val=task.val), task.few(100, seed=1)
    runs = [train_it("fine-tuning", ours, epochs=12, lr=rate) for rate in (3e-4, 1e-3, 3e-3)]
    tuned = max(test(model) for accuracy, model in runs)
    accuracy, model = train_it("from scratch", theirs, epochs=6, lr=1e-2)
    return tuned - test(model)


# %% [markdown]
# Write `fair`, a function of the same three arguments that returns the same difference, with both
# starts treated alike. Their learning rates may differ, the number of rates tried may not. The
# check trains nothing: it gives you a `train_it` and a `test` that note what you ask for.

# %% tags=["exercise"]
fair = duel  # replace it by a function of your own


### BEGIN SOLUTION
def mended(task, train_it, test):
    few, rates, best = task.few(100, seed=0), (3e-4, 1e-3, 3e-3), []
    for start in ("fine-tuning", "from scratch"):
        runs = [train_it(start, few, epochs=12, lr=rate) for rate in rates]
        best.append(max(runs, key=lambda run: run[0])[1])
    return test(best[0]) - test(best[1])


fair = mended
### END SOLUTION
print(labels.check_fair(fair))

# %% [markdown]
# ## What you measured
#
# You read learning curves sideways: how many times the labels pretraining is worth, target by
# target, with *more than* where the curve ends. You timed it, added up its bill, and saw where more
# labels make it matter less.

# %% [markdown]
# ## Go further
#
# - Hernandez and others (2021, arXiv:2102.01293) call it *effective data transferred*, and find
#   laws for it in large language models.
# - He and others (2018, arXiv:1811.08883) train from scratch for longer: on object detection it
#   catches up.
# - Draw the learning curve of your own pictures: `tasks.folder("my_photos").few(50, seed=0)`, then
#   twice as many. Would you pay for the next doubling?
