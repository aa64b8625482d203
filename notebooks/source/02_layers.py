# %% [markdown]
# # What does each layer know?
#
# Articles on transfer learning often print a table: of a network for pictures, layer 1 knows
# *edges*, layer 2 *corners and textures*, layer 3 *parts*, layer 4 whole *objects*.
#
# You will look at what layers look for. Then you put questions with known answers to every layer.
#
# **After this lesson you can** watch a layer work, measure what can be read from it, and say which
# layers a new task changes.

# %%
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tl_course import evidence, features, lessons, models, plots, practice, surgery, tasks, train
from tl_course.lessons import layers

network = models.load("resnet10")
torch.manual_seed(0)
untrained = models.load("resnet10", pretrained=False)

# %% [markdown]
# ## Five stages
#
# `resnet10` knows 200 everyday things from photographs. A picture passes through its *stages* in
# turn, from `stem` to `layer4`; the head then names it. Let one picture through and look at the
# shapes: channels, height, width.

# %%
temple = tasks.examples()["temple"]
values = network.preprocess(temple[None])
print(f"{'picture':8}", tuple(values.shape[1:]))
for name, part in surgery.stages(network).items():
    with torch.no_grad():
        values = part(values)
    seen = "" if name == "head" else f"one number sees {features.receptive_field(network, name)}"
    print(f"{name:8}", tuple(values.shape[1:]), seen)

# %% [markdown]
# Each *channel* is a map: one number for each place, high where the channel finds what it looks
# for. Later maps are coarser, and each number depends on a larger square of the picture, its
# *receptive field*. (The last is larger than the picture; beyond the edge it sees zeros.)
#
# The table's layers 1 to 4 will be held against `layer1` to `layer4`. The stem comes before them.

# %% [markdown]
# ## Predict first
#
# You will see drawings of faces, cars, animals and trees. Around each lie loose pieces of another
# kind, so that counting pieces does not tell which it is. After which stage can one first read off
# what is drawn? *Read off* means: a simple classifier comes 90 % of the way from guessing to what
# it reaches at the best stage. Choose, then **Commit**.

# %% tags=["nbval-ignore-output"]
STAGES = ("stem", "layer1", "layer2", "layer3", "layer4")
practice.predict("02-objects", "Objects can be read off first after …", STAGES)

# %% [markdown]
# ## Look at the first layer
#
# The stem slides 32 small *filters*, 7×7 pixels in three colours, over the picture. Each answers
# most where the picture looks like the filter itself. So a filter can be shown as a picture; zero
# becomes grey.

# %%
filters = network.stem[0].weight.detach()
print(tuple(filters.shape), "filters, colours, height, width")

# %%
chart = layers.filters({"pretrained": network, "random": untrained})
plots.show(chart, alt="Filters: pretrained edges, spots and colours; the random ones are noise.")

# %% [markdown]
# Nobody drew the filters on the left. Naming photographs made them: light beside dark, a spot, one
# colour against another. Some faded to nothing: weight decay, a steady pull towards zero during
# training, removed what was not needed.

# %% [markdown]
# ## Listen to a layer
#
# PyTorch can call a function of yours whenever a part has computed something: a *hook*. A hook that
# is not removed stays for ever, so the removal stands in `finally`, where no error can skip it.

# %%
kept = {}
handle = network.layer1.register_forward_hook(lambda part, given, out: kept.update(layer1=out))
try:
    with torch.no_grad():
        network(network.preprocess(temple[None]))
finally:
    handle.remove()
tuple(kept["layer1"].shape)

# %% [markdown]
# `features.Tap` does the same as a `with`. Here are three of the 32 maps, laid over the picture:
# yellow is where the channel is most active.

# %%
with torch.no_grad(), features.Tap(network, "layer1") as tap:
    network(network.preprocess(temple[None]))
maps = tap["layer1"][0]
chart = layers.activations(temple, {f"channel {c}": maps[c] for c in (13, 20, 2)})
plots.show(chart, alt="Three channels of layer1 over a temple: falling, rising, level edges.")

# %% [markdown]
# Photograph: danielbuechele, CC BY 2.0, from scikit-learn. Channel 13 marks edges that fall from
# left to right, 20 those that rise. Channel 2 marks level ones, and is never quite still: look only
# at what rises above a map's own background.

# %% [markdown]
# ## What would a channel most like to see?
#
# Turn training around: hold the weights, and change the *picture* so that one channel grows more
# active. The gradient says how.


# %%
def climb(stage, channel, steps=60):
    picture = torch.full((1, 3, 64, 64), 0.5) + 0.01 * torch.randn(1, 3, 64, 64)
    picture.requires_grad_()
    optimizer = torch.optim.Adam([picture], lr=0.02)
    for _ in range(steps):
        with features.Tap(network, stage) as tap:
            network(network.preprocess(picture.clamp(0, 1)))
        excitement = tap[stage][0, channel].mean()
        (picture.grad,) = torch.autograd.grad(-excitement, picture)
        optimizer.step()
    return (255 * picture.detach().clamp(0, 1)).byte()[0], excitement.item()


# %% [markdown]
# This plain way ends in glaring pixels that no camera would take. It gets easier to read when the
# *frequencies* of the picture are changed instead of its pixels, and when it is moved and turned a
# little in every step (Olah et al. 2017). `features.preferred_picture` does that.

# %% tags=["nbval-ignore-output"]
plain, glaring = climb("layer3", 96)
better, calm = features.preferred_picture(network, "layer3", 96)
best = features.stored_preferred("layer3").best[96]
print(f"plain {glaring:.2f}, by frequencies {calm:.2f}, best of 5,000 photographs {best:.2f}")
rows = {"layer3, channel 96": torch.stack([plain, better])}
chart = plots.gallery(rows, {"layer3, channel 96": ("plain", "by frequencies")}, columns=2)
plots.show(chart, alt="One channel's preferred picture made in two ways: the same arches, calmer.")

# %% [markdown]
# The course has made one for each of the 512 channels. Five of every stage, chosen by hand because
# they are easy to read:

# %%
CHOSEN = {
    "stem": (5, 28, 9, 8, 17),
    "layer1": (2, 13, 20, 21, 16),
    "layer2": (36, 31, 11, 30, 45),
    "layer3": (96, 35, 86, 61, 30),
    "layer4": (243, 144, 104, 125, 189),
}
rows = {stage: features.stored_preferred(stage).pictures[[*c]] for stage, c in CHOSEN.items()}
chart = plots.gallery(
    rows, {s: [f"{c}" for c in chosen] for s, chosen in CHOSEN.items()}, columns=5
)
plots.show(chart, alt="Preferred pictures by stage: stripes, then textures, then shapes.")

# %% [markdown]
# From stripes to textures to shapes: it looks as the table says. But you see what you were told to
# see. The last one looks like a dog; whether dogs excite that channel is another question. A name
# such as *dog detector* is a guess from one picture.

# %% [markdown]
# ## The layer explorer
#
# Choose a picture, a stage and a channel, or upload your own picture. From left to right: the
# picture, the channel's map over it, the picture made for this channel, and the patches that excite
# it most, out of some hundred. **Loudest channel** goes to the one that this picture excites most.

# %% tags=["nbval-ignore-output"]
layers.explorer()

# %% [markdown]
# Go from `stem` to `layer4` with the portrait. Until which stage can you say in words what a
# channel looks for?

# %% [markdown]
# ## Questions with known answers
#
# Now the test. The course draws pictures of which it knows the answer, and leaves all else to
# chance: colours, places, sizes, blur, noise. Whoever answers must have found the thing itself.

# %%
drawn = tasks.load("concepts_objects").few(600, seed=0)
first = drawn.train.inputs[:80], drawn.train.labels[:80]
sheet = plots.contact_sheet(*first, drawn.classes, columns=8)
plots.show(sheet, alt="Drawn faces, cars, animals and trees, each among loose pieces of another.")

# %% [markdown]
# Each picture holds one thing put together and the pieces of another. Who only counts pieces is
# right half of the time at most; guessing gets a quarter.

# %% [markdown]
# ## A linear probe
#
# Take a stage's maps and average each over the picture: one number a channel, the *features*. Can a
# straight cut through these numbers tell the classes apart? A simple classifier on frozen features
# is called a *linear probe* (Alain and Bengio 2016). It reads what the stage has worked out, as far
# as that survives averaging.


# %%
def read(model, pictures):
    with torch.no_grad(), features.Tap(model, *STAGES) as tap:
        model(model.preprocess(pictures))
    return {stage: tap[stage].mean((2, 3)).numpy() for stage in STAGES}


def probe(model):
    table, val = read(model, drawn.train.inputs), read(model, drawn.val.inputs)
    shares = []
    for stage in STAGES:
        classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
        classifier.fit(table[stage], drawn.train.labels)
        shares.append(classifier.score(val[stage], drawn.val.labels))
    return shares


# %% [markdown]
# The control is the same network with random weights. Whatever can be read from that was not
# learned: it was in the picture, and passing through a network did not hide it.

# %% tags=["nbval-ignore-output"]
print("objects     pretrained   random")
for stage, known, random in zip(STAGES, probe(network), probe(untrained), strict=True):
    print(f"{stage:10} {known:11.2f} {random:8.2f}")

# %% [markdown]
# ## Every question, every stage
#
# First claim, **layer-1**: the table. The course asked five such questions. *Edges*: which of four
# directions. *Corners*: straight, corner or curve. *Textures*: nine materials. *Parts*: eye, wheel
# or leaf. *Objects*: as above. 600 labelled pictures, ten seeds; validation chose how strict the
# probe is. Training pictures and the random network change with the seed; there is one pretrained
# network.

# %%
stored = evidence.load("sweep_probes")
print("made with:", stored.attrs["command"])
runs = evidence.Runs(stored)
means, half = layers.probe_table(runs, "pretrained")
chart = plots.heat_map(means, half, layers.CHANCE, layers.EXPECTED, "Pretrained")
plots.show(chart, alt="Probe accuracy by question and stage, pretrained: rises from left to right.")

# %%
means, half = layers.probe_table(runs, "random")
chart = plots.heat_map(means, half, layers.CHANCE, title="Random weights")
plots.show(chart, alt="With random weights: edges everywhere, some texture early, little else.")

# %% [markdown]
# Each cell is the test accuracy and half its 95 % interval; the darker, the further from guessing
# (edges 0.25, corners 0.33, textures 0.11, parts 0.33, objects 0.25). An orange frame is the layer
# that the table names.

# %% tags=["nbval-ignore-output"]
first = {name: layers.readable_at(runs, task) for task, (name, *_) in layers.TABLE.items()}
for name, stage in first.items():
    print(f"{name:9} can be read first after {stage}")
print(practice.compare("02-objects", first["objects"]))

# %%
print(lessons.settle("layer-1"))

# %% [markdown]
# Read the frames. Textures and parts come where the table says. Edges come there too (the stem just
# misses them), but random weights show them nearly as well: they hardly need learning. Corners come
# one stage later than in the table, objects one earlier: together with parts.
#
# So the order is about right, and the words are too neat. Another network, or larger drawings, may
# move the lines.

# %% [markdown]
# ## Break it
#
# Cut every picture into tiles and shuffle them. What needs the arrangement should be lost; what is
# in every patch should stay. Try `materials` instead of `concepts_objects`, another stage, 2 tiles
# a side or 8.


# %%
def shuffled(split, tiles):
    pictures = []
    for picture in split.inputs:
        pieces = [p for row in picture.chunk(tiles, 1) for p in row.chunk(tiles, 2)]
        pieces = [pieces[place] for place in torch.randperm(tiles * tiles)]
        rows = [torch.cat(pieces[i : i + tiles], 2) for i in range(0, len(pieces), tiles)]
        pictures.append(torch.cat(rows, 1))
    return tasks.Split(torch.stack(pictures), split.labels)


# %% tags=["nbval-ignore-output"]
TASK, STAGE, TILES = "concepts_objects", "layer3", 4

asked = tasks.load(TASK).few(400, seed=0)
for tiles in (1, TILES):
    parts = [shuffled(split, tiles) for split in (asked.train, asked.val)]
    numbers = [features.extract(network, split.inputs, STAGE) for split in parts]
    found = features.probe(numbers[0], parts[0], numbers[1], parts[1])
    print(f"{tiles} × {tiles} tiles: {found.accuracy:.2f}")

# %% [markdown]
# About half is what counting pieces gives: the arrangement is gone.

# %% [markdown]
# ## What does a new task change?
#
# Second claim, **layer-2**: *early layers barely change in fine-tuning, late layers change most*.
# Fine-tune on the leaf clinic of lesson 00, and compare before with after.

# %% tags=["nbval-ignore-output"]
clinic = tasks.load("leaves").few(200, seed=0)
tuned = surgery.replace_head(models.load("resnet10"), len(clinic.classes))
history = train.fit(tuned, clinic, epochs=12, lr=1e-3)
before, after = (surgery.stages(model) for model in (network, tuned))

# %% [markdown]
# Take a stage's weights as one long arrow. How far has its tip moved, as a share of the arrow's
# length?

# %% tags=["nbval-ignore-output"]
for name in STAGES:
    old, new = (
        torch.cat([weights.detach().flatten() for weights in part.parameters()])
        for part in (before[name], after[name])
    )
    print(f"{name}: moved by {(new - old).norm() / old.norm():.0%} of its length")

# %% [markdown]
# Weights may move and the features stay the same, or the other way round. *Centred kernel
# alignment*, CKA, compares the features themselves (Kornblith et al. 2019): 1 if one set is a
# turned, moved or stretched copy of the other, low if they share little. How low depends on the
# number of pictures, so there is a control again: the random network.


# %%
def cka(first, second):
    first, second = first - first.mean(0), second - second.mean(0)
    shared = (first.T @ second).square().sum()
    return shared / ((first.T @ first).norm() * (second.T @ second).norm())


# %% tags=["nbval-ignore-output"]
pictures = tasks.load("leaves").val.inputs
print("CKA with before   fine-tuned   random")
for name in STAGES:
    trio = (network, tuned, untrained)
    old, new, other = (features.extract(model, pictures, name) for model in trio)
    print(f"{name:15} {cka(old, new):12.2f} {cka(old, other):8.2f}")

# %% [markdown]
# One run. The stored ones: three tasks, five seeds, 200 labels. How unlike the photographs of
# pretraining is a task? The course has one measure for it, without labels: the *Fréchet distance*
# between the network's features of photographs and of the task's pictures (Heusel et al. 2017).
# Charts give it in brackets.

# %%
away = evidence.distances()
print("; ".join(f"{task} {distance:.0f}" for task, distance in away.items()))

# %% [markdown]
# Photographs are not at zero from other photographs: 400 pictures differ from 400 others by chance.
# Satellite scenes are as near as any, drawn materials far.
#
# And a doubt is looked into: AdamW moves every weight by about the same step, so small weights move
# far *for their size*. SGD with momentum, at one rate, moves them by what the gradient says.

# %%
changes = evidence.load("sweep_changes")
print("made with:", changes.attrs["command"])
moved = evidence.Runs(changes)
cell = {"strategy": "fine-tuning", "optimizer": "AdamW"}
for optimizer in ("AdamW", "SGD"):
    curves = {}
    for task in layers.HALVED:
        weights = moved.wide("stage", "change", **cell | {"task": task, "optimizer": optimizer})
        curves[f"{task} ({away[task]:.0f})"] = weights.div(weights["layer4"], axis=0)
    chart = plots.by_stage(curves, "moved, layer4 = 1", title=f"Weights, {optimizer}")
    plots.show(chart, alt=f"How far each stage moved with {optimizer}, beside the last, by task.")

# %%
curves = {
    f"{task} ({away[task]:.0f})": 1 - moved.wide("stage", "cka", task=task, **cell)
    for task in layers.HALVED
}
chart = plots.by_stage(curves, "1 − CKA", title="Features, AdamW")
plots.show(chart, alt="Change of the features by stage and task: largest in the last stage.")

# %%
print(lessons.settle("layer-2"))

# %% [markdown]
# Features change most at the end, on every task; though a late stage also receives the changes of
# all before it. Weights are another matter. With AdamW the last stage moved several times as far as
# the stem. With SGD, as good on the test, the stages moved much more alike, and on digits the stem
# moved most. That *early layers barely change* is in part a habit of the optimizer.

# %% [markdown]
# And is a small change a small matter? Put one stage back to what it was, leave the others
# fine-tuned, and count what that costs, in points of test accuracy. `whole` is what nothing put
# back reaches.

# %%
tuned_runs = changes[changes.strategy == "fine-tuning"]
cost = 100 * (tuned_runs.test_balanced - tuned_runs.rewound_balanced)
keys = [tuned_runs[name] for name in ("optimizer", "task", "stage")]
table = cost.groupby(keys, sort=False).mean().unstack()
table["whole"] = 100 * tuned_runs.groupby(["optimizer", "task"]).test_balanced.mean()
table.round(1)

# %% [markdown]
# On leaves the stem moved least, and putting it back still costs dearly, with either optimizer. On
# digits it costs most of all. A small change low down can matter as much as a large one at the end.

# %% [markdown]
# ## Do early features help anywhere?
#
# Third claim, **layer-3**: *early features help almost any image task*. Two tests. First, probes on
# five tasks with 200 labels, from photographs of things to handwritten digits and X-rays: how much
# better can they be read from pretrained stages than from random ones?

# %%
curves = {
    f"{task} ({away[task]:.0f})": runs.wide("stage", task=task, network="pretrained")
    - runs.wide("stage", task=task, network="random")
    for task in layers.TARGETS
}
chart = plots.by_stage(curves, "accuracy, pretrained − random", title="What learning adds")
plots.show(chart, alt="Pretrained minus random by stage: large for near tasks, none for X-rays.")

# %% [markdown]
# Second, half a network: the stages up to `layer2` are pretrained, the others random, and all of it
# is fine-tuned. Against training from scratch:

# %%
gains = {
    f"{task}, {half.split()[0]} half": layers.halved(task, half)
    for task in layers.HALVED
    for half in ("early stages pretrained", "late stages pretrained")
}
sides = {"gain": "half a network better", "loss": "scratch better"}
chart = plots.differences(gains, **sides, title="What half a pretrained network buys")
plots.show(chart, alt="; ".join(f"{name}: {found}" for name, found in gains.items()))

# %%
print(lessons.settle("layer-3"))

# %% [markdown]
# Above the stem, learning adds to every task but the X-rays, and most to the nearest. The early
# half alone buys much on leaves and on satellite scenes. The late half buys far less: its stages
# get inputs that they never learned to read. On digits neither buys much.

# %% [markdown]
# ## Where does it look?
#
# One more way to look inside, to check your own networks with. *Grad-CAM* (Selvaraju et al. 2017)
# asks how each map of a late stage would have to change to make an answer more certain, and adds
# the maps up by that. `layer4` has only 4 × 4 places, so we take `layer3`.

# %%
leaf, label = clinic.val.inputs[:1], int(clinic.val.labels[0])
with features.Tap(tuned, "layer3") as tap:
    logits = tuned(tuned.preprocess(leaf))
gradient = torch.autograd.grad(logits[0, label], tap["layer3"])[0]
weights = gradient.mean((2, 3), keepdim=True)
heat = (weights * tap["layer3"].detach()).sum(1).relu()
print(tuple(heat.shape), "one number for each of 8 × 8 places")

# %% tags=["nbval-ignore-output"]
panels = {}
for label in range(1, 5):
    leaf = clinic.val.inputs[int((clinic.val.labels == label).nonzero()[0])]
    answer = clinic.classes[int(train.predict(tuned, leaf[None]).argmax())]
    heat = features.grad_cam(tuned, leaf, label, stage="layer3")
    panels[f"{clinic.classes[label]}, says {answer}"] = (leaf, heat)
plots.show(layers.cams(panels), alt="Four sick leaves; below, what speaks for their condition.")

# %% [markdown]
# Bright places speak for the true condition, whatever the network said. Are they on the signs of
# the disease, on the leaf at least? A network that is right for the wrong reason may show it here.
# The map is coarse, and says *where*, not *what*.

# %% [markdown]
# ## Exercise: look and leave no trace
#
# Write a function that gives the features of a stage, averaged over the picture, and leaves the
# network as it was: no hook, also when the pass fails; the same mode; no moved statistics. (In
# training mode, *BatchNorm* layers note the mean and spread of what passes. Eval mode stops it.)
#
# <details><summary>Hint</summary><code>model.training</code> says the mode, <code>model.train(True)
# </code> sets it. <code>features.Tap</code> always removes its hook.</details>


# %% tags=["exercise"]
def my_features(model, pictures, stage):
    found = None
    ### BEGIN SOLUTION
    before = model.training
    model.eval()
    try:
        with torch.no_grad(), features.Tap(model, stage) as tap:
            model(model.preprocess(pictures))
        found = tap[stage].mean((2, 3))
    finally:
        model.train(before)
    ### END SOLUTION
    return found


print(layers.check_features(my_features))

# %% [markdown]
# ## Exercise: find the channel
#
# One channel of `layer1` answers to falling edges at least 1.5 times as much as to those of any
# other direction. Which? `concepts_edges` has pictures of four directions.
#
# <details><summary>Hint</summary>A map's answer is how far it rises above its own background:
# <code>maps.amax(2) - maps.median(2).values</code>, where <code>maps</code> is (pictures, channels,
# places).</details>

# %% tags=["exercise"]
channel = 0
### BEGIN SOLUTION
edges = tasks.load("concepts_edges").val
with torch.no_grad(), features.Tap(network, "layer1") as tap:
    network(network.preprocess(edges.inputs))
maps = tap["layer1"].flatten(2)
rise = maps.amax(2) - maps.median(2).values
means = torch.stack([rise[edges.labels == label].mean(0) for label in range(4)])
channel = int((means[3] / means[:3].amax(0)).nan_to_num().argmax())
### END SOLUTION
print(layers.check_channel(channel))

# %% [markdown]
# ## Exercise: a disguise
#
# What does CKA see? From the features below make two others. `same` differs in every single number,
# and CKA with the first is 1. `other` has the same mean and spread in every channel, and CKA is
# below 0.3.
#
# <details><summary>Hint</summary>CKA asks whether the same <em>pictures</em> are alike in both. It
# does not care what a channel is called or how loud all of them are.</details>

# %% tags=["exercise"]
given = features.extract(network, tasks.load("leaves").val.inputs, "layer2")
same = other = given
### BEGIN SOLUTION
same = 2 * given + 1
other = given[torch.randperm(len(given))]
### END SOLUTION
print(layers.check_disguise(given, same, other))

# %% [markdown]
# ## What you measured
#
# The order is roughly the table's: edges, textures, then corners, parts and objects together.
# Learning adds much to everything but edges. Fine-tuning changes the features most at the end;
# which weights move most depends on the optimizer, and a small move can matter. And pictures of
# channels proved little: drawings with known answers did.

# %% [markdown]
# ## Go further
#
# `models.load("resnet18")`, where there is a network or its file, has eighteen layers and has seen
# a million photographs at 224×224 pixels: run `probe(models.load("resnet18"))` above. Lesson 03
# gives networks a new head.
