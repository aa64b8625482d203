# %% [markdown]
# # Do you forget Spanish?
#
# *You don't forget Spanish when you learn Italian*, says one popular article. Another warns of
# *catastrophic forgetting*. You will watch a network learn a new job, ask it about the old one on
# the way, and try four remedies.
#
# **After this lesson you can** find a learning rate, measure forgetting, and choose a remedy by
# what it costs.

# %%
import copy

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from tl_course import evidence, features, lessons, models, plots, practice, surgery, tasks, train
from tl_course.lessons import forgetting

# %% [markdown]
# ## Two jobs, one network
#
# The reader of lesson 01 has learned Spanish numbers and now learns 100 Italian ones. It has one
# head, so the same weights answer in both languages. `forgetting.both` gives its accuracy on 2,000
# Spanish and 2,000 Italian numbers that it never saw.

# %%
spanish, italian = tasks.load("numbers_spanish"), tasks.load("numbers_italian")
task = italian.few(100, seed=0)
reader = models.load("reader_spanish")
print("before: Spanish {:.1%}, Italian {:.1%}".format(*forgetting.both(reader)))

# %% [markdown]
# ## Predict first
#
# You train it on Italian until it reads Italian well, with no Spanish in sight. How much of its
# Spanish is left? Choose, then **Commit**.

# %% tags=["nbval-ignore-output"]
CHOICES = ("95 or more of 100", "80 to 94", "50 to 79", "fewer than 50")
practice.predict("07-left", "Of 100 new Spanish numbers, it will still read …", CHOICES)

# %% [markdown]
# ## Learn, and look back
#
# The loop of lesson 00, counted in steps: each draws 32 of the 100 numbers. `flatten` turns a
# number's four digits into four answers. Every eight steps the network is asked for both languages,
# on 300 validation numbers each.


# %%
def ask(model, curves):
    for curve, job in zip(curves.values(), (italian, spanish), strict=True):
        curve.append(train.evaluate(model, job.val.take(range(300))).accuracy)


def loss_on(model, batch):
    logits = model(model.preprocess(batch.inputs))
    return F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten())


# %%
def learn(model, lr, steps=120):
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    curves = {"new job: Italian": [], "old job: Spanish": []}
    for step in range(steps + 1):
        if step % 8 == 0:
            ask(model, curves)
        loss = loss_on(model, task.train.take(torch.randint(len(task.train), (32,))))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return curves


# %% tags=["nbval-ignore-output"]
torch.manual_seed(0)
curves = learn(copy.deepcopy(reader), lr=3e-3)
chart = plots.learning_curves(curves, title="Learning rate 0.003", xlabel="steps", first=0, every=8)
plots.show(chart, alt="By steps: Italian rises; Spanish falls at once, then recovers in part.")

# %% tags=["nbval-ignore-output"]
torch.manual_seed(0)
curves = learn(copy.deepcopy(reader), lr=2e-2)
chart = plots.learning_curves(curves, title="Learning rate 0.02", xlabel="steps", first=0, every=8)
plots.show(chart, alt="By steps: Italian rises half way; Spanish falls at once and stays low.")

# %% [markdown]
# Nothing in the loss asks for Spanish, so nothing keeps it: it falls within the first eight steps.
# At the low rate most of it comes back, for much of what Italian needs is Spanish too. At the high
# rate it does not.

# %% [markdown]
# ## The price of the learning rate
#
# The course made such runs with `train.fit`, whose rate falls along the way and which keeps the
# epoch that is best in Italian. Six rates, ten seeds; each seed has its own Spanish reader and its
# own 100 Italian numbers.

# %%
stored = evidence.load("sweep_forgetting")
runs = evidence.Runs(stored)
ours = {"network": "reader", "strategy": "fine-tuning", "frozen": ""}
tuned = runs.rows(**ours)
names = {"new job: Italian": "test_accuracy", "old job: Spanish": "source_accuracy"}
title = "What 100 Italian numbers cost in Spanish"
chart = forgetting.by_rate(tuned, names, before=tuned.source_before.mean(), title=title)
plots.show(chart, alt="By learning rate: Spanish falls, Italian rises up to 0.003, then falls.")

# %%
best = runs.leader("lr", **ours)  # the best mean validation accuracy in Italian
left, before = (runs.cell(of, lr=best, **ours) for of in ("source_accuracy", "source_before"))
found = evidence.paired(left, before)
print(f"best rate for Italian, by validation: {best:g}; Spanish changes by {found}")

# %% tags=["nbval-ignore-output"]
measured = CHOICES[sum(100 * left.mean() < edge for edge in (95, 80, 50))]
print(f"left: {left.mean():.0%}")
print(practice.compare("07-left", measured))

# %% [markdown]
# Read the chart from left to right. At very low rates Spanish is safe, and Italian is hardly
# learnt. In the middle Italian is best, and part of Spanish is gone. At high rates both are lost.

# %% [markdown]
# ## Which rate? A finder
#
# Raise the rate at every step and write down the loss (after Smith 2015, arXiv:1506.01186). Too
# low: it does not move. Too high: it explodes. In between it falls. All 100 numbers go into each
# step, so that the curve is smooth.


# %%
def find_rate(model, rates):
    optimizer, losses = torch.optim.AdamW(model.parameters()), []
    for rate in rates:
        optimizer.param_groups[0]["lr"] = rate
        loss = loss_on(model, task.train)
        losses.append(loss.item())
        if losses[-1] > 2 * losses[0]:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


# %% tags=["nbval-ignore-output"]
rates = torch.logspace(-5, 1, 70).tolist()
torch.manual_seed(0)
blank = models.load("reader_spanish", pretrained=False)
starts = {"pretrained": copy.deepcopy(reader), "from scratch": blank}
losses = {name: find_rate(model, rates) for name, model in starts.items()}
chart = forgetting.rate_finder(rates, losses, title="Loss while the learning rate is raised")
plots.show(chart, alt="Two curves: flat at low rates, falling in the middle, rising at high rates.")
for name, values in losses.items():
    falls = [before - after for before, after in zip(values[:-1], values[1:], strict=True)]
    print(f"{name}: the loss falls fastest at {rates[falls.index(max(falls))]:.1g}")

# %% [markdown]
# *Nats* are the unit of this loss: guessing one of ten digits costs 2.3. Do not take the lowest
# point; there the loss is low because of the steps before. Choose where it falls fastest. From
# Spanish that is at a lower rate than from scratch. Compare it with the best rate in the chart
# above. The finder is a first guess, and it sees the new job alone.

# %% [markdown]
# ## Does fine-tuning need a *very low* rate?
#
# That is claim **rate-1**. Two questions: is the best rate lower than from scratch, and would
# 0.0001, the lowest tried, do as well? Here for the reader; the verdict below asks `resnet10` too.

# %%
for name in ("fine-tuning", "from scratch"):
    print(f"{name:13} best rate {runs.leader('lr', **ours | {'strategy': name}):g}")
at = ({"lr": lr, "of": "test_accuracy"} for lr in (best, min(tuned.lr)))
lost = runs.compare(*at, **ours)
print(f"Italian, at {best:g} minus at {min(tuned.lr):g}: {lost}")

# %% [markdown]
# ## Remedy 1: freeze
#
# What is frozen keeps its weights. Here letters and memory are, and only the head learns, which
# both languages share. `train.fit` as in the stored runs; first without a remedy.


# %% tags=["nbval-ignore-output"]
def report(name, model):
    print("{}: Spanish {:.1%}, Italian {:.1%}".format(name, *forgetting.both(model)))


model = copy.deepcopy(reader)
train.fit(model, task, epochs=30, lr=3e-3, progress=False)
report("fine-tuning", model)
model = surgery.freeze(copy.deepcopy(reader), "letters", "memory")
train.fit(model, task, epochs=30, lr=3e-3, progress=False)
report("head alone", model)

# %% [markdown]
# Nearly all Spanish is kept, and little Italian learnt: the memory still reads letters in the
# Spanish way.

# %% [markdown]
# ## Remedy 2: rehearse
#
# Mix in a few of the old examples. `task.mixed` adds them to the training numbers; shorter rows get
# zeros at their end.

# %% tags=["nbval-ignore-output"]
old = spanish.few(30, seed=0).train
mixed = task.mixed(old)
print(len(task.train), "Italian +", len(old), "Spanish =", len(mixed.train))
model = copy.deepcopy(reader)
train.fit(model, mixed, epochs=30, lr=3e-3, progress=False)
report("rehearsal, 30 numbers", model)

# %% [markdown]
# ## Remedy 3: stay close
#
# Without old examples, you can penalise moving away from the old weights. *L2-SP* (SP: starting
# point; Li and others 2018) adds their squared distance to the loss. `train.l2_sp` is this penalty.

# %% tags=["nbval-ignore-output"]
model = copy.deepcopy(reader)


STRENGTH = 0.1


def stay_close(model):
    pairs = zip(model.parameters(), reader.parameters(), strict=True)
    return STRENGTH / 2 * sum((now - before.detach()).square().sum() for now, before in pairs)


train.fit(model, task, epochs=30, lr=3e-3, penalty=stay_close, progress=False)
report("L2-SP, strength 0.1", model)

# %% [markdown]
# ## Remedy 4: train a thin change
#
# *LoRA*, low-rank adaptation (Hu and others 2021), freezes every weight matrix and adds the product
# of two thin ones, which are trained. The *rank* is how thin: `b` has so many columns, `a` so many
# rows. `b` starts at zero, so the network begins unchanged.


# %%
class LowRank(nn.Module):
    def __init__(self, weight, rank):
        super().__init__()
        self.a = nn.Parameter(torch.randn(rank, weight.shape[1]) / rank**0.5)
        self.b = nn.Parameter(torch.zeros(weight.shape[0], rank))

    def forward(self, weight):
        return weight + self.b @ self.a


# %% [markdown]
# `parametrize` is PyTorch's way to compute a weight from others whenever it is used. So few numbers
# need larger steps. `surgery.add_lora` does the same, for pictures too.

# %% tags=["nbval-ignore-output"]
lora = copy.deepcopy(reader).requires_grad_(False)
for part in list(lora.modules()):
    for name, weight in list(part.named_parameters(recurse=False)):
        if weight.ndim == 2:
            parametrize.register_parametrization(part, name, LowRank(weight, rank=4))
trained = sum(p.numel() for p in lora.parameters() if p.requires_grad)
print(f"{trained:,} numbers to train, of {sum(p.numel() for p in reader.parameters()):,}")
train.fit(lora, task, epochs=30, lr=1e-2, progress=False)
report("LoRA, rank 4", lora)

# %% [markdown]
# Compare both with plain fine-tuning. One run and one setting may mislead, so:

# %% [markdown]
# ## What each remedy keeps
#
# The stored runs try each with several strengths and rates. Every point is a setting, a mean over
# ten seeds. The line joins plain fine-tuning at its learning rates, written beside it. The best
# corner is at the top right.

# %%
readers = stored[(stored.network == "reader") & (stored.strategy != "from scratch")]
ways = ("fine-tuning", "frozen", "L2-SP", "LoRA", "rehearsal")
title = "Five ways to learn Italian"
chart = forgetting.tradeoff(readers, ways, "Spanish kept", "Italian learnt", title=title)
plots.show(chart, alt="Most ways share one front from keep to learn; rehearsal lies beyond it.")

# %% [markdown]
# Freezing, L2-SP and LoRA trade one language for the other, as a lower rate does. Rehearsal leaves
# that line: the loss is asked about Spanish again. Its price is that you must have kept some old
# data.

# %% [markdown]
# ## The same with pictures
#
# `resnet10` learned 200 kinds of things in photographs (Tiny ImageNet) and now learns leaves. The
# new head replaces the old one; put the old one back, and ask. If the photographs are not on your
# machine, you can still count how many of its *answers* stay the same, on any pictures. The share
# that changes is called *drift*.

# %% tags=["nbval-ignore-output"]
leaves, network = tasks.load("leaves").few(200, seed=0), models.load("resnet10")
old_head = network.head
photos = None
if tasks.available("tiny_imagenet"):
    from tl_course.tasks import tiny_imagenet

    photos = tiny_imagenet.photographs(400)
pictures = photos.inputs if photos else tasks.load("materials").test.inputs[:400]
print("asked about", "400 photographs" if photos else "400 materials, drawn by the course")


# %% tags=["nbval-ignore-output"]
def answers(model):
    with torch.no_grad():
        return old_head(features.extract(model, pictures)).argmax(1)


def old_job(model):
    if photos:
        return float((answers(model) == photos.labels).float().mean())  # right
    return float((answers(model) == before).float().mean())  # unchanged


before = answers(network)
print(f"before: {old_job(network):.2f}")


# %% tags=["nbval-ignore-output"]
def follow(lr):
    model = surgery.replace_head(copy.deepcopy(network), len(leaves.classes))
    kept, learnt = [], []

    def ask(number, epoch):  # train.fit calls it after every epoch
        kept.append(old_job(model))
        learnt.append(epoch.val_accuracy)

    train.fit(model, leaves, epochs=8, lr=lr, watch=ask, progress=f"leaves, {lr:g}")
    return {f"new job, rate {lr:g}": learnt, f"old job, rate {lr:g}": kept}


# %% tags=["nbval-ignore-output"]
curves = follow(1e-3)
curves.update(follow(1e-4))
title = "resnet10: leaves learnt, old answers " + ("right" if photos else "unchanged")
chart = plots.learning_curves(curves, title=title)
plots.show(chart, alt="By epoch: leaves rise, the old job falls, steeper at the higher rate.")

# %% [markdown]
# Even the low rate costs much. Is it the weights? One part of `resnet10` moves without any step:
# *BatchNorm* layers scale what passes by its mean and variance, and keep a running estimate of
# both. Show it the leaves eight times, as in eight epochs, in training mode, and train nothing:

# %% tags=["nbval-ignore-output"]
untrained = copy.deepcopy(network).train()
with torch.no_grad():
    for batch in leaves.train.inputs.repeat(8, 1, 1, 1).split(32):
        untrained(untrained.preprocess(batch))
low = curves["old job, rate 0.0001"][-1]
print(f"before {old_job(network):.2f}, after looking at leaves {old_job(untrained):.2f}")
print(f"after training on leaves at the low rate {low:.2f}")

# %% [markdown]
# No weight has moved, and it has forgotten. Stages that are frozen in this course stay in eval
# mode, so their statistics stay too.

# %%
pictured = runs.rows(network="resnet10", strategy="fine-tuning", frozen="")
names = {"new job: leaves": "test_accuracy", "old job: photographs": "source_accuracy"}
title = "resnet10 learns 200 leaves (ten seeds)"
chart = forgetting.by_rate(pictured, names, before=pictured.source_before.mean(), title=title)
plots.show(chart, alt="By learning rate: photographs fall from about a half to nothing.")
tie = pictured.source_accuracy.corr(pictured.drift)
print(f"correlation of photographs named right with drift: {tie:.2f}")

# %% [markdown]
# The last line says whether drift, which needs no labels, can stand in for accuracy on the old job:
# near −1, it can.

# %% [markdown]
# ## Your turn
#
# Choose a learning rate and what is frozen. Curves are means of the stored runs; **Train it now**
# makes one such run on your machine and draws it as diamonds. Is there a setting with both above
# 90 %?

# %% tags=["nbval-ignore-output"]
forgetting.price_list()

# %% [markdown]
# ## The claims
#
# **rate-1**: *fine-tuning needs a very low learning rate.* Is 0.0001 better than the rate that is
# best from scratch, and as good as the best of all? **rate-2**: *a high rate causes catastrophic
# forgetting.* **lose-1**: *freezing too little loses the old knowledge.*

# %% [markdown]
# **analogy-3**: *you don't forget Spanish and start fresh*, so the first Italian words are easier.
# **both-1**: *afterwards the network understands the old job and the new one.*

# %%
for claim in ("rate-1", "rate-2", "lose-1", "analogy-3", "both-1"):
    print(lessons.settle(claim), end="\n\n")

# %% [markdown]
# ## Break it
#
# How little Spanish is enough? Try 1, 3 or 10 old numbers, or another rate.

# %% tags=["nbval-ignore-output"]
OLD, RATE = 3, 3e-3

model = copy.deepcopy(reader)
mixed = task.mixed(spanish.few(OLD, seed=0).train)
train.fit(model, mixed, epochs=30, lr=RATE, progress=False)
report(f"rehearsal, {OLD} numbers", model)

# %% [markdown]
# ## Exercise 1: keep both
#
# Train a reader that reads at least 95 % of new Spanish numbers and 85 % of Italian ones, with the
# 100 Italian numbers in `task`. Use any remedy.
#
# <details><summary>Hint</summary>One of the remedies left the line of all others. How much of it do
# you need?</details>

# %% tags=["exercise"]
bilingual = models.load("reader_spanish")
# train bilingual
### BEGIN SOLUTION
train.fit(bilingual, task.mixed(spanish.few(50, seed=0).train), epochs=30, lr=3e-3, progress=False)
### END SOLUTION
print(forgetting.check_both(bilingual))

# %% [markdown]
# ## Exercise 2: merge
#
# LoRA's two thin matrices can be added to the old weight once training is over; then the network is
# as fast as before. Do it by hand for one weight of `lora`.

# %% tags=["exercise"]
kept = lora.memory.there.parametrizations.weight_ih_l0
old_weight, low_rank = kept.original, kept[0]  # the frozen matrix, and your LowRank
merged = old_weight
# put the merged weight into merged
### BEGIN SOLUTION
merged = old_weight + low_rank.b @ low_rank.a
### END SOLUTION
print(forgetting.check_merged(lora, merged))

# %% [markdown]
# ## Exercise 3: halfway back
#
# `new` has learned 300 Italian numbers and forgotten much. Mix its weights with the old ones,
# `(1 - share) * old + share * new`, and find a share at which Spanish is above 95 % and Italian
# above 80 %. Try several. (Wortsman and others, arXiv:2109.01903, did this with large networks.)

# %% tags=["exercise"]
new = copy.deepcopy(reader)
train.fit(new, italian.few(300, seed=0), epochs=12, lr=4e-3, progress=False)
between = copy.deepcopy(reader)
# mix the weights: state_dict() gives them by name, load_state_dict puts them back
### BEGIN SOLUTION
share, ahead = 0.55, new.state_dict()
mixture = {n: (1 - share) * w + share * ahead[n] for n, w in reader.state_dict().items()}
between.load_state_dict(mixture)
### END SOLUTION
print(forgetting.check_between(between, reader, new))

# %% [markdown]
# ## What you measured
#
# A network forgets what the loss no longer asks for. The learning rate sets the price; freezing,
# L2-SP and LoRA mostly move along the same line. Two things left it: a few old examples, and mixing
# the weights of before and after.
