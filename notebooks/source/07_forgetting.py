# %% [markdown]
# # Do you forget Spanish?
#
# *You don't forget Spanish when you learn Italian*, say the articles, and a few pages on they warn
# of *catastrophic forgetting*. Both cannot be the whole truth. You will watch a network learn the
# new and look back at the old, and try five ways to keep both.
#
# **After this lesson you can** find a learning rate, measure forgetting, and choose a remedy by
# what it costs.

# %%
import copy

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from tl_course import evidence, features, models, plots, practice, surgery, tasks, train, widgets

# %% [markdown]
# ## Two jobs, one network
#
# The reader of lesson 01 has learned Spanish numbers and now learns 100 Italian ones. It has one
# head, so the same weights answer in both languages. `practice.both` gives its accuracy on 2,000
# Spanish and 2,000 Italian numbers that it never saw.

# %%
spanish, italian = tasks.load("numbers_spanish"), tasks.load("numbers_italian")
task = italian.few(100, seed=0)
reader = models.load("reader_spanish")
print("before: Spanish {:.1%}, Italian {:.1%}".format(*practice.both(reader)))

# %% [markdown]
# ## Predict first
#
# You train it on Italian until it reads Italian well, with no Spanish in sight. How much of its
# Spanish is left? Choose, then **Commit**.

# %% tags=["nbval-ignore-output"]
CHOICES = ("95 or more of 100", "80 to 94", "50 to 79", "fewer than 50")
widgets.predict("07-left", "Of 100 new Spanish numbers, it will still read …", CHOICES)

# %% [markdown]
# ## Learn, and look back
#
# The loop of lesson 00, with one thing more: every eight steps it is asked for both languages, on
# 300 validation numbers each.


# %%
def learn(model, lr, steps=120):
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    curves = {"new job: Italian": [], "old job: Spanish": []}
    for step in range(steps + 1):
        if step % 8 == 0:
            for curve, job in zip(curves.values(), (italian, spanish), strict=True):
                curve.append(train.evaluate(model, job.val.take(range(300))).accuracy)
        batch = task.train.take(torch.randint(len(task.train), (32,)))
        logits = model(model.preprocess(batch.inputs))
        loss = F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return curves


# %% tags=["nbval-ignore-output"]
torch.manual_seed(0)
curves = learn(copy.deepcopy(reader), lr=3e-3)
chart = plots.learning_curves(curves, title="Learning rate 0.003", xlabel="steps / 8", first=0)
plots.show(chart, alt="By steps: Italian rises, Spanish falls and stays below where it began.")

# %% tags=["nbval-ignore-output"]
torch.manual_seed(0)
curves = learn(copy.deepcopy(reader), lr=2e-2)
chart = plots.learning_curves(curves, title="Learning rate 0.02", xlabel="steps / 8", first=0)
plots.show(chart, alt="By steps: both languages drop at once, Italian recovers in part.")

# %% [markdown]
# Nothing in the loss asks for Spanish, so nothing keeps it. Small steps stay near the weights that
# read it. Large ones leave them within a few steps: the fall comes at once, before Italian is
# learnt.

# %% [markdown]
# ## The price of the learning rate
#
# The same with `train.fit`, six rates and ten seeds, each seed with its own Spanish reader and its
# own 100 Italian numbers.

# %%
stored = evidence.load("sweep_forgetting")
tuned = evidence.tuned(stored, "reader", "fine-tuning")
names = {"new job: Italian": "test_accuracy", "old job: Spanish": "source_accuracy"}
title = "What 100 Italian numbers cost in Spanish"
chart = plots.by_rate(tuned, names, before=tuned.source_before.mean(), title=title)
plots.show(chart, alt="By learning rate: Spanish falls all the way, Italian rises, then falls.")

# %%
best = evidence.best_rate(tuned)
left = evidence.at_rate(tuned, best, "source_accuracy")
found = evidence.paired(left, evidence.at_rate(tuned, best, "source_before"))
print(f"best rate for Italian, by validation: {best:g}; Spanish changes by {found}")

# %% tags=["nbval-ignore-output"]
measured = CHOICES[sum(100 * left.mean() < edge for edge in (95, 80, 50))]
print(f"left: {left.mean():.0%}")
print(practice.compare("07-left", measured))

# %% [markdown]
# Read the chart from left to right. At very low rates Spanish is safe, and Italian is hardly
# learnt. In the middle Italian is best, and part of Spanish is gone. At high rates both are.

# %% [markdown]
# ## Which rate? A finder
#
# Raise the rate at every step and write down the loss (Smith 2015, arXiv:1506.01186). Too low: it
# does not move. Too high: it explodes. In between it falls. All 100 numbers go into each step here,
# so that the curve is smooth.


# %%
def find_rate(model, rates):
    optimizer, losses = torch.optim.AdamW(model.parameters()), []
    for rate in rates:
        optimizer.param_groups[0]["lr"] = rate
        logits = model(model.preprocess(task.train.inputs))
        loss = F.cross_entropy(logits.flatten(0, 1), task.train.labels.flatten())
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
losses = {
    "pretrained": find_rate(copy.deepcopy(reader), rates),
    "from scratch": find_rate(blank, rates),
}
chart = plots.rate_finder(rates, losses, title="Loss while the learning rate is raised")
plots.show(chart, alt="Two curves: flat at low rates, falling in the middle, rising at high rates.")

# %% [markdown]
# Take a rate from the slope, well before the lowest point: there the loss is carried by the steps
# before. From Spanish the slope begins at lower rates than from scratch. The finder sees the new
# job alone; it does not know what you would like to keep.

# %% [markdown]
# ## Does fine-tuning need a *very low* rate?
#
# That is claim **rate-1**. Two questions for each network: is the best rate lower than from
# scratch, and would the lowest one do as well?

# %%
for name in ("fine-tuning", "from scratch"):
    rows = evidence.tuned(stored, "reader", name)
    print(f"{name:13} best rate {evidence.best_rate(rows):g}")
low = evidence.at_rate(tuned, min(tuned.lr), "test_accuracy")
lost = evidence.paired(evidence.at_rate(tuned, best, "test_accuracy"), low)
print(f"Italian, at {best:g} minus at {min(tuned.lr):g}: {lost}")

# %% [markdown]
# ## Remedy 1: freeze
#
# What is frozen cannot forget. Here the letters and the memory are, and only the head learns. Each
# remedy's two accuracies go into `results`.


# %% tags=["nbval-ignore-output"]
def report(name, model):
    results[name] = practice.both(model)
    print("{}: Spanish {:.1%}, Italian {:.1%}".format(name, *results[name]))


results = {}
model = copy.deepcopy(reader)
train.fit(model, task, epochs=30, lr=3e-3, progress=False)
report("fine-tuning", model)
model = surgery.freeze(copy.deepcopy(reader), "letters", "memory")
train.fit(model, task, epochs=30, lr=3e-3, progress=False)
report("head alone", model)

# %% [markdown]
# Safe, and useless: letters it reads in the Spanish way give no Italian. Here freezing moves along
# the same line as the rate, from *keep* to *learn*.

# %% [markdown]
# ## Remedy 2: rehearse
#
# Mix in a few of the old examples. Thirty Spanish numbers are enough to try; rows of zeros make the
# texts equally long. The package calls this `task.mixed(old)`.

# %% tags=["nbval-ignore-output"]
old = spanish.few(30, seed=0).train
padding = old.inputs.shape[1] - task.train.inputs.shape[1]
inputs = torch.cat([F.pad(task.train.inputs, (0, padding)), old.inputs])
labels = torch.cat([task.train.labels, old.labels])
mixed = task.mixed(old)
print(torch.equal(mixed.train.inputs, inputs), torch.equal(mixed.train.labels, labels))
model = copy.deepcopy(reader)
train.fit(model, mixed, epochs=30, lr=3e-3, progress=False)
report("rehearsal, 30 numbers", model)

# %% [markdown]
# ## Remedy 3: stay close
#
# Without old examples, you can still punish leaving the old weights. *L2-SP* adds their squared
# distance to the loss (Li and others 2018). `train.l2_sp` is this penalty.

# %% tags=["nbval-ignore-output"]
model = copy.deepcopy(reader)


def stay_close(model):
    pairs = zip(model.parameters(), reader.parameters(), strict=True)
    return 0.1 / 2 * sum((now - before.detach()).square().sum() for now, before in pairs)


train.fit(model, task, epochs=30, lr=3e-3, penalty=stay_close, progress=False)
report("L2-SP, strength 0.1", model)

# %% [markdown]
# ## Remedy 4: change little by little ranks
#
# *LoRA* (Hu and others 2021) freezes every weight matrix and adds the product of two thin ones,
# which are trained. `b` starts at zero, so the network begins unchanged.


# %%
class LowRank(nn.Module):
    def __init__(self, weight, rank):
        super().__init__()
        self.a = nn.Parameter(torch.randn(rank, weight.shape[1]) / rank**0.5)
        self.b = nn.Parameter(torch.zeros(weight.shape[0], rank))

    def forward(self, weight):
        return weight + self.b @ self.a


# %% [markdown]
# `parametrize` is PyTorch's way to compute a weight from others whenever it is used.
# `surgery.add_lora` does what the next cell does, for pictures too.

# %% tags=["nbval-ignore-output"]
lora = copy.deepcopy(reader).requires_grad_(False)
matrices = [(p, n, w) for p in lora.modules() for n, w in p.named_parameters(recurse=False)]
for part, name, weight in matrices:
    if weight.ndim == 2:
        parametrize.register_parametrization(part, name, LowRank(weight, rank=4))
trained = sum(p.numel() for p in lora.parameters() if p.requires_grad)
print(f"{trained:,} numbers to train, of {sum(p.numel() for p in reader.parameters()):,}")
train.fit(lora, task, epochs=30, lr=1e-2, progress=False)
report("LoRA, rank 4", lora)

# %% [markdown]
# ## What each remedy costs
#
# The stored runs try each with several strengths and rates. Every point is a setting, a mean over
# ten seeds. The line joins plain fine-tuning from the lowest rate to the highest. The best corner
# is at the top right.

# %%
readers = stored[(stored.network == "reader") & (stored.strategy != "from scratch")]
ways = {name: name for name in ("fine-tuning", "frozen", "L2-SP", "LoRA", "rehearsal")}
chart = plots.tradeoff(
    readers, ways, "Spanish kept", "Italian learnt", title="Five ways to learn Italian"
)
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
# machine, you can still count how many of its *answers* have changed, on any pictures.

# %% tags=["nbval-ignore-output"]
leaves, network = tasks.load("leaves").few(200, seed=0), models.load("resnet10")
old_head = network.head
photos = None
if tasks.available("tiny_imagenet"):
    from tl_course.tasks import tiny_imagenet

    photos = tiny_imagenet.photographs(400)
pictures = photos.inputs if photos else tasks.load("materials").test.inputs[:400]
print("asked about", "photographs it can name" if photos else "materials, drawn by the course")


# %% tags=["nbval-ignore-output"]
def answers(model):
    with torch.no_grad():
        return old_head(features.extract(model, pictures)).argmax(1)


def old_job(model):
    if photos:
        return float((answers(model) == photos.labels).float().mean())
    return float((answers(model) == before).float().mean())


before = answers(network)
print(f"before: {old_job(network):.2f}")


# %% tags=["nbval-ignore-output"]
def follow(lr):
    model = surgery.replace_head(copy.deepcopy(network), len(leaves.classes))
    kept, learnt = [], []

    def ask(epoch, accuracy):
        kept.append(old_job(model))
        learnt.append(accuracy)

    train.fit(model, leaves, epochs=8, lr=lr, watch=ask, progress=f"leaves, {lr:g}")
    return {f"new job, rate {lr:g}": learnt, f"old job, rate {lr:g}": kept}


curves = follow(1e-3) | follow(1e-4)

# %% tags=["nbval-ignore-output"]
chart = plots.learning_curves(curves, title="resnet10: leaves learnt, photographs kept")
plots.show(chart, alt="By epoch: leaves rise, the old job falls, steeper at the higher rate.")

# %% [markdown]
# Even the low rate costs much. Is it the weights? One part of `resnet10` moves without any step:
# BatchNorm keeps running means of what it sees. Show it the leaves eight times, as in eight epochs,
# in training mode, and train nothing:

# %% tags=["nbval-ignore-output"]
untrained = copy.deepcopy(network).train()
with torch.no_grad():
    for batch in leaves.train.inputs.repeat(8, 1, 1, 1).split(32):
        untrained(untrained.preprocess(batch))
print(f"before {old_job(network):.2f}, after looking at leaves {old_job(untrained):.2f}")

# %% [markdown]
# No weight has moved, and it has forgotten about as much as at the low rate. Stages that are frozen
# in this course stay in eval mode, so their statistics stay too.

# %%
pictured = evidence.tuned(stored, "resnet10", "fine-tuning")
names = {"new job: leaves": "test_accuracy", "old job: photographs": "source_accuracy"}
title = "resnet10 learns 200 leaves (ten seeds)"
chart = plots.by_rate(pictured, names, before=pictured.source_before.mean(), title=title)
plots.show(chart, alt="By learning rate: photographs fall from about a half to nothing.")
tie = pictured.source_accuracy.corr(pictured.drift)
print(f"correlation of photographs named right and changed answers: {tie:.2f}")

# %% [markdown]
# The last line says whether counting changed answers, which needs no labels, can stand in for
# accuracy on the old job: near −1, it can.

# %% [markdown]
# ## Your turn
#
# Choose a learning rate and what is frozen. Curves are the stored runs; **Train it now** makes that
# very run on your machine and draws it as diamonds. Can you find a setting with both above 90 %?

# %% tags=["nbval-ignore-output"]
widgets.forgetting()

# %% [markdown]
# ## The claims
#
# **rate-1**: fine-tuning needs a very low learning rate. **rate-2**: a high one causes catastrophic
# forgetting; that is, less than half of the old accuracy is left. **analogy-3**: you don't forget
# Spanish; it holds where less than five points are lost.

# %%
for claim in ("rate-1", "rate-2", "analogy-3"):
    verdict = evidence.settle(claim)
    print(f"{claim} {verdict.verdict}\n    {verdict.condition}\n    {verdict.interval}")

# %% [markdown]
# ## Break it
#
# How little Spanish is enough? Try 1, 3 or 10 old numbers, or old numbers of another language.

# %% tags=["nbval-ignore-output"]
OLD, RATE = 3, 3e-3

model = copy.deepcopy(reader)
mixed = task.mixed(spanish.few(OLD, seed=0).train)
train.fit(model, mixed, epochs=30, lr=RATE, progress=False)
report(f"rehearsal, {OLD} numbers", model)

# %% [markdown]
# ## Exercise 1: keep both
#
# Train a reader that keeps at least 95 % of Spanish and reads at least 85 % of Italian, with the
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
print(practice.check_both(bilingual))

# %% [markdown]
# ## Exercise 2: merge
#
# LoRA's two thin matrices can be added to the old weight once training is over; then the network is
# as fast as before. Do it by hand for one weight of `lora`.

# %% tags=["exercise"]
kept = lora.memory.there.parametrizations.weight_ih_l0
old_weight, low_rank = kept.original, kept[0]
merged = old_weight
# put the merged weight into merged
### BEGIN SOLUTION
merged = old_weight + low_rank.b @ low_rank.a
### END SOLUTION
print(practice.check_merged(lora, merged))

# %% [markdown]
# ## Exercise 3: halfway back
#
# `new` has learned 300 Italian numbers and forgotten much. Mix its weights with the old ones,
# `(1 - share) * old + share * new`, and find a share at which Spanish is above 95 % and Italian
# above 80 %. (Wortsman and others 2022 found that this works for large networks.)

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
print(practice.check_between(between, reader, new))

# %% [markdown]
# ## What you measured
#
# A network forgets what the loss no longer asks for. The learning rate sets the price, and most
# remedies only move along the same line; a few old examples leave it. People rehearse too: whoever
# learns Italian in Madrid hears Spanish every day.
