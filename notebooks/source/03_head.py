# %% [markdown]
# # How do you give a trained network a new job?
#
# A network that names 200 everyday things knows nothing of your five leaf conditions. Yet only its
# last layer is about those 200 names. Articles say: cut it off, put in a new one, train only that.
#
# **After this lesson you can** cut and sew by hand on any family of networks, train a new head in a
# second, and say when that is enough.

# %%
import time

import pandas
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import KNeighborsClassifier
from torch import nn
from torch.nn import functional as F

from tl_course import evidence, features, lessons, models, plots, practice, surgery, tasks, train
from tl_course.lessons import head
from tl_course.store import NotAvailable

clinic = tasks.load("leaves").few(200, seed=0)

# %% [markdown]
# ## Anatomy
#
# Two parts: the *backbone* turns a picture into numbers, its *features*; the *head* turns features
# into one number a class, the *logits*. In `resnet10` the head is a single linear layer: each logit
# is a weighted sum of the 256 features.

# %%
network = models.load("resnet10")
print(network.head)
surgery.summary(network)

# %% [markdown]
# Of 1.3 million weights, 51,400 are the head: 256 weights and a bias for each of 200 names.
# *BatchNorm* layers also note the mean and spread of what passes by; in training mode these notes
# change at every step, frozen or not. `model.eval()` stops that. Now ask the network about leaves.

# %% tags=["nbval-ignore-output"]
probabilities = train.predict(network, clinic.train.inputs)
for label, condition in enumerate(clinic.classes):
    mean = probabilities[clinic.train.labels == label].mean(0)
    best = mean.topk(3).indices.tolist()
    print(f"{condition:8} →", ", ".join(network.classes[index] for index in best))

# %% [markdown]
# It answers with what it has: a mantis sits on leaves. The names are wrong, but are they *useful*?
# One could *rename* them: an old answer such as *mantis* becomes the condition for which it came up
# most. You will see below how well that does.

# %% [markdown]
# ## Predict first
#
# Photographs of dogs, guitars, houses and four other things: 50 labelled ones, about seven of each.
# You train only a new head, or *fine-tune* all weights. Of 100 test photographs, how many fewer
# does the head alone get right? Choose, then **Commit**.

# %% tags=["nbval-ignore-output"]
CHOICES = ("about as many, or more", "3 to 10 fewer", "11 to 20 fewer", "over 20 fewer")
practice.predict("03-head", "The head alone gets right …", CHOICES)

# %% [markdown]
# ## Cut and sew
#
# The new layer must take what the old one took, 256 numbers, and give one number a condition.

# %%
torch.manual_seed(0)
print("before:", tuple(network(network.preprocess(clinic.train.inputs[:1])).shape))
network.head = nn.Linear(network.head.in_features, len(clinic.classes))
print("after: ", tuple(network(network.preprocess(clinic.train.inputs[:1])).shape))

# %% [markdown]
# The backbone still knows what it knew. The head is random:

# %% tags=["nbval-ignore-output"]
start = train.evaluate(network, clinic.val)
print(f"right: {start.accuracy:.2f}, guessing: {1 / len(clinic.classes):.2f}")
print(f"loss: {start.loss:.2f}, of equal chances for all: {torch.tensor(5.0).log():.2f}")

# %% [markdown]
# A new head starts near chance, for its weights have nothing to do with leaves; another seed gives
# another share. Equal chances for five classes cost log 5. If yours starts far above, its weights
# are too large; far below, it has already learned your labels.

# %% [markdown]
# ## Bottleneck features
#
# As long as the backbone does not change, it gives the same 256 numbers for a picture every time.
# So run it once and keep them: these are *bottleneck features*. The head learns from them alone.


# %% tags=["nbval-ignore-output"]
def bottleneck(model, pictures):
    model.eval()
    with torch.no_grad(), features.Tap(model, "layer4") as tap:
        model(model.preprocess(pictures))
    return tap["layer4"].mean((2, 3))


started = time.perf_counter()
stored, val = (bottleneck(network, split.inputs) for split in (clinic.train, clinic.val))
seconds = time.perf_counter() - started
print(tuple(stored.shape), f"numbers kept, {seconds:.1f} s")

# %% [markdown]
# Now train the head: 200 steps, each over all 200 leaves. No picture is needed any more.

# %% tags=["nbval-ignore-output"]
new = nn.Linear(256, len(clinic.classes))
optimizer = torch.optim.AdamW(new.parameters(), lr=1e-2)
started = time.perf_counter()
for _ in range(200):
    loss = F.cross_entropy(new(stored), clinic.train.labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
seconds = time.perf_counter() - started
right = (new(val).argmax(1) == clinic.val.labels).double().mean()
print(f"{right:.2f} right after {seconds:.1f} s of training")

# %% [markdown]
# Put this head on the backbone, and the network answers for whole pictures again:

# %% tags=["nbval-ignore-output"]
network.head = new
print(f"whole network: {train.evaluate(network, clinic.val).accuracy:.2f} right")

# %% [markdown]
# ## Anything can be a head
#
# Features are a table: a row a picture, a column a feature. Whatever works on tables works on them.
# *Classification* needs labels: logistic regression, or asking the nearest neighbours.
# *Clustering* needs none: k-means sorts the rows into five heaps and does not know their names.


# %%
def try_heads(title, table, val_table):
    neighbours = KNeighborsClassifier(7).fit(table, clinic.train.labels)
    near = neighbours.score(val_table, clinic.val.labels)
    linear = features.probe(table, clinic.train, val_table, clinic.val).accuracy
    heaps = KMeans(5, n_init=5, random_state=0).fit_predict(val_table)
    heap = adjusted_rand_score(clinic.val.labels, heaps)
    print(f"{title:10} logistic {linear:.2f}   neighbours {near:.2f}   heaps {heap:+.2f}")


# %% tags=["nbval-ignore-output"]
torch.manual_seed(0)
untrained = models.load("resnet10", pretrained=False)
try_heads("pretrained", stored, val)
try_heads("random", *(bottleneck(untrained, s.inputs) for s in (clinic.train, clinic.val)))

# %% [markdown]
# For classifiers, guessing is 0.20. For heaps, 1 means that they are the conditions, 0 that they
# have nothing to do with them.
#
# The second line is the *control*: the same heads on a backbone that never learned. What is left
# there is what pictures give away by themselves. Only the difference was borrowed. The heaps are
# hardly about disease: what is most striking in the features need not be what you ask for.

# %% [markdown]
# ## The same in four lines
#
# From here the package takes over what you did by hand: `replace_head` cuts and sews, `freeze`
# holds every stage but the head, and `fit` runs what is frozen only once. `fit` also takes small
# steps, lowers the rate, and keeps the epoch that was best on validation: hence a higher number.

# %% tags=["nbval-ignore-output"]
model = surgery.replace_head(models.load("resnet10"), len(clinic.classes))
surgery.freeze(model)
history = train.fit(model, clinic, epochs=30, lr=1e-2, progress="head alone")
print(f"{max(history.val_accuracy):.2f} right, {history.seconds:.1f} s; cached: {history.cached}")

# %% [markdown]
# ## Is the new head needed?
#
# Claim **head-1**: *the old output layer is removed, a new one put in*. The stored runs have five
# tasks: seven things as photographs and as sketches (from *PACS*), satellite scenes, leaves,
# digits; 200 labels, five seeds. *Old head renamed*: as above. *Probe on old head*: a new head on
# top of the 200 old logits. *Linear probe*: the old head is gone, the new one sees the features.

# %%
frame = evidence.load("sweep_head")
print("made with:", frame.attrs["command"])
NAMES = ("pacs_photo", "pacs_sketch", "satellite", "leaves", "digits")
WAYS = ("old head renamed", "probe on old head", "linear probe")
cells = [(name, 200) for name in NAMES]
chart = plots.runs(frame, cells, WAYS, title="An old head and new ones, 200 labels")
plots.show(chart, alt="Renaming old answers is far behind; a new head is best with or without.")

# %%
print(lessons.settle("head-1"))

# %% [markdown]
# A new head is needed. That the old one goes first is mostly a matter of tidiness: its 200 logits
# still hold nearly all that the features told, so a head on top of them does almost as well.

# %% [markdown]
# ## Is it enough?
#
# Claim **head-2**: *training only the new head is enough for a small, similar set*. The photographs
# of PACS are like the source's pictures, its sketches are not. Blue is fine-tuning, green (*linear
# probe*) the head alone, grey the control: a head on random features.

# %%
WAYS = ("fine-tuning", "linear probe", "probe on random backbone")
chart = plots.runs(frame, [(n, 50) for n in NAMES], WAYS, title="With 50 labels")
plots.show(chart, alt="With 50 labels, head alone and fine-tuning overlap except on digits.")

# %%
chart = plots.runs(frame, [(n, 200) for n in NAMES], WAYS, title="With 200 labels")
plots.show(chart, alt="With 200 labels the head alone leads on photographs, and trails elsewhere.")

# %%
runs = evidence.Runs(frame)
losses = {n: runs.compare("linear probe", "fine-tuning", task=n, labels=200) for n in NAMES}
sides = {"gain": "head alone better", "loss": "fine-tuning better"}
chart = plots.differences(losses, **sides, title="Head alone minus fine-tuning, 200 labels")
plots.show(chart, alt="; ".join(f"{name}: {found}" for name, found in losses.items()))

# %% tags=["nbval-ignore-output"]
found = runs.compare("linear probe", "fine-tuning", task="pacs_photo", labels=50)
fewer = round(-100 * found.effect)
print(practice.compare("03-head", CHOICES[sum(fewer > edge for edge in (2, 10, 20))]))

# %%
print(lessons.settle("head-2"))

# %% [markdown]
# *Enough* means here: the head alone helps, or is the same within two points. *Similar* are the
# targets nearest to photographs by lesson 02's distance. With 200 photographs the head alone is
# ahead, with 200 satellite scenes behind; with 50 of either the runs cannot tell.

# %% [markdown]
# ## Any family
#
# Claim **zoo-1** is a list: ResNet, VGG, EfficientNet, ViT, BERT, GPT, RoBERTa, T5, Whisper,
# Wav2Vec and YOLO (here *YOLOS*, another network for the same job). All are a backbone and a head.
# The libraries call the head by other names; the operations are the same.

# %%
table = pandas.DataFrame([vars(entry) for entry in models.catalogue().values()])
table = table[~table.name.str.contains("reader|doctor|resnet10_")].set_index("name")
table["million weights"] = (table.parameters / 1e6).round(1)
table[["family", "purpose", "million weights", "download", "head"]]

# %% [markdown]
# Official weights are downloads of up to half a gigabyte (`download` is in MB). To try the
# operations you need none: `pretrained=False` gives a small network of the same kind with random
# weights.


# %%
def new_job(model, task, lr=1e-2):
    surgery.replace_head(model, len(task.classes))
    surgery.freeze(model)
    train.fit(model, task, epochs=20, lr=lr, progress=False)
    found = train.evaluate(model, task.test)
    print(f"{models.head_name(model):12} {found.accuracy:.2f} right (guess 1/{len(task.classes)})")


# %% [markdown]
# A ViT on leaves, a BERT on sentences, a Whisper on sounds. The sentences come from the
# documentation of libraries you have installed: statistics, signals, algebra, plots, tables or
# networks? The sounds are made by the course: does the pitch rise, fall, stay or warble, or is it
# noise?

# %% tags=["nbval-ignore-output"]
sentences = tasks.load("docstrings").few(120, seed=0)
for name, task in (("vit_b_16", clinic), ("bert", sentences), ("whisper", tasks.load("sounds"))):
    torch.manual_seed(0)
    print(f"{name:10}", end=" ")
    new_job(models.load(name, pretrained=False), task)

# %% [markdown]
# All run; none learns much, for they know nothing yet. Now a BERT that does: `minilm` has six
# blocks and 23 million weights, trained on pairs of sentences from the web. It comes with the
# course's extra `offline`.

# %% tags=["nbval-ignore-output"]
try:
    new_job(models.load("minilm"), sentences)
except NotAvailable as error:
    print("left out:", error)

# %%
print(lessons.settle("zoo-1"))

# %% [markdown]
# ## The head bench
#
# Choose a family, a number of classes and what is frozen. You see the network before and after,
# what is trained, and the shapes on the way.

# %% tags=["nbval-ignore-output"]
head.bench()

# %% [markdown]
# ## Break it
#
# How few labels does a head need? Change `LABELS` or `NAME`: `leaves`, `digits`, `satellite`. Or
# put your own pictures there, a folder a class: `fewer = tasks.folder("my_photos")`.

# %% tags=["nbval-ignore-output"]
LABELS, NAME = 20, "materials"

fewer = tasks.load(NAME).few(LABELS, seed=1)
for title, known in (("pretrained", True), ("random", False)):
    torch.manual_seed(0)
    found = features.probe_task(models.load("resnet10", pretrained=known), fewer)
    share, guess = found["test_accuracy"], 1 / len(fewer.classes)
    print(f"{NAME}, {LABELS} labels, {title}: {share:.2f} (guessing {guess:.2f})")

# %% [markdown]
# ## Exercise: sew it by hand
#
# VGG keeps its layers in lists: `vgg.classifier` is one, and its last layer is the head. Replace it
# by a new one for the five leaf conditions, without `replace_head`.
#
# <details><summary>Hint</summary>Print <code>vgg.classifier</code>. How many numbers does the last
# layer take? The layer before tells.</details>

# %% tags=["exercise"]
vgg = models.load("vgg16", pretrained=False)
### BEGIN SOLUTION
vgg.classifier[6] = nn.Linear(vgg.classifier[6].in_features, len(clinic.classes))
### END SOLUTION
print(head.check_sewn(vgg, clinic))

# %% [markdown]
# ## Exercise: two speeds
#
# When all is trained, the head needs large steps, for it is random, and the backbone small ones,
# for it has something to lose. An optimizer takes *groups*: a list of dictionaries with `params`
# and `lr`. Build it for this network, every weight in one group, the head ten times as fast.

# %% tags=["exercise"]
model = surgery.replace_head(models.load("resnet10"), len(clinic.classes))
groups = [{"params": [*model.parameters()], "lr": 1e-3}]
### BEGIN SOLUTION
rest = [weight for name, weight in model.named_parameters() if not name.startswith("head")]
groups = [{"params": rest, "lr": 1e-3}, {"params": [*model.head.parameters()], "lr": 1e-2}]
### END SOLUTION
print(head.check_rates(groups, model))

# %% [markdown]
# ## Exercise: nothing else may move
#
# Write a loop of ten steps that trains the head, leaves every other number as it was, and returns
# the ten losses. The network you get stands in training mode, and nothing is frozen. The check
# compares all of it, bit by bit.


# %% tags=["exercise"]
def learn_head(model, task):
    losses = []
    ### BEGIN SOLUTION
    model.eval()
    optimizer = torch.optim.AdamW(model.head.parameters(), lr=1e-2)
    for _ in range(10):
        loss = F.cross_entropy(model(model.preprocess(task.train.inputs)), task.train.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    ### END SOLUTION
    return losses


print(head.check_frozen_training(learn_head))

# %% [markdown]
# ## What you measured
#
# A head is a small layer that turns features into answers. A new one starts near chance and learns
# in a second from stored features. It is enough where the pictures are like those the backbone
# knows; elsewhere the backbone must change too. How much of it, asks lesson 04.

# %% [markdown]
# ## Go further
#
# `tl-course models` lists every network, `tl-course prefetch resnet18` gets official weights where
# there is a network. Then put `models.load("resnet18")` into *Break it*, with your own pictures:
# features from a million photographs are stronger than those of a course's small network.
