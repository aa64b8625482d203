# %% [markdown]
# # Same picture, same weights, wrong answer: why?
#
# Between a picture and a network lie a few dull lines: divide, resize, subtract. One of them wrong,
# and nothing stops: no error, only worse answers. You will break them one by one, and learn to tell
# from the symptoms which one it was.
#
# **After this lesson you can** look at what reaches a network, recognise thirteen faults, and save
# a model so that nobody can feed it wrongly unnoticed.

# %%
import copy
import json
import shutil
import warnings
from pathlib import Path

import torch
from torch.nn import functional as F

from tl_course import evidence, models, plots, practice, store, tasks, train, widgets
from tl_course.evidence import feeding

# %% [markdown]
# ## The leaf doctor
#
# `leaf_doctor` is `resnet10`, fine-tuned on 10,000 leaves of 64 × 64 pixels. Now it gets new leaves
# from a better camera, 128 × 128. Nothing is trained in this lesson: the weights stay as they
# are.

# %%
doctor = models.load("leaf_doctor")
test = tasks.load("leaves_128").test.take(range(200))
pictures, labels = test.inputs, test.labels
print("classes:", ", ".join(doctor.classes))
print("pictures:", tuple(pictures.shape), pictures.dtype)

# %% [markdown]
# ## Predict first
#
# Five things go wrong, one at a time: the mean and standard deviation of pretraining are forgotten;
# pictures run from 0 to 255 instead of 0 to 1; blue comes first (BGR); a corner is cut out instead
# of resizing; pictures are resized with another filter. Which costs most accuracy, and which least?

# %% tags=["nbval-ignore-output"]
FIVE = ("no mean and std", "0 to 255", "BGR", "corner crop", "another filter")
widgets.predict("09-most", "Most accuracy is lost with …", FIVE)

# %% tags=["nbval-ignore-output"]
widgets.predict("09-least", "Least is lost with …", FIVE)

# %% [markdown]
# ## The right way
#
# Three steps: scale to [0, 1]; resize to the size of pretraining; normalise, that is, subtract each
# channel's mean and divide by its standard deviation. The six numbers belong to the weights. These
# are ImageNet's, which `resnet10` was pretrained with.

# %%
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)  # red, green, blue
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def small(pictures):
    scaled = pictures.float() / 255
    return F.interpolate(scaled, (64, 64), mode="bilinear", antialias=True)


ready = (small(pictures) - MEAN) / STD
print("as doctor.preprocess:", torch.allclose(ready, doctor.preprocess(pictures), atol=1e-5))


# %%
def ask(inputs):
    with torch.no_grad():
        sure, answers = doctor(inputs).softmax(1).max(1)
    right = (answers == labels).float().mean()
    print(f"accuracy {right:.2f}, confidence {sure.mean():.2f}")


# %% tags=["nbval-ignore-output"]
ask(ready)

# %% [markdown]
# ## Look at what reaches it
#
# Two pictures of the input cost you two lines. First undo the normalisation and draw: this is what
# the network sees. Then count the numbers, channel by channel.

# %% tags=["nbval-ignore-output"]
seen = (255 * (ready * STD + MEAN)).round().clamp(0, 255).byte()
shown = plots.contact_sheet(seen, labels, doctor.classes, columns=6)
plots.show(shown, alt="Six leaves of each condition, 64 pixels wide, in their own colours.")

# %% tags=["nbval-ignore-output"]
for channel, name in enumerate(("red", "green", "blue")):
    values = ready[:, channel]
    print(f"{name:6} mean {values.mean():+.2f}, std {values.std():.2f}", end=", ")
    print(f"from {values.min():.2f} to {values.max():.2f}")

# %% [markdown]
# Means near 0, spreads near 1, nothing far beyond ±3: such numbers it was trained on. They need not
# be exact, for leaves are greener than ImageNet. Note the three lines somewhere when you train a
# network. They are the first thing to compare when it fails.

# %% [markdown]
# ## Break one thing at a time
#
# The usual accident first: somebody forgets to normalise. Or takes 0.5 and 0.5, which so many
# examples have. Read the accuracy, then the confidence.

# %% tags=["nbval-ignore-output"]
forgotten = small(pictures)
ask(forgotten)
ask((small(pictures) - 0.5) / 0.5)

# %% [markdown]
# It is much more often wrong, and still quite sure. *Confidence does not warn you.* Now nobody
# divides by 255, then blue comes first, as OpenCV reads files.

# %% tags=["nbval-ignore-output"]
ask((255 * small(pictures) - MEAN) / STD)
swapped = (small(pictures)[:, [2, 1, 0]] - MEAN) / STD
ask(swapped)

# %% [markdown]
# With 0 to 255 it is quite sure, and as good as guessing, which is 0.20. Here is what it sees:

# %% tags=["nbval-ignore-output"]
ways = {"right": ready, "forgotten": forgotten, "BGR": swapped}
rows = {name: plots.as_seen(inputs[:6], doctor.preprocess) for name, inputs in ways.items()}
alt = "Six leaves as seen: right; without mean and std pale and flat; as BGR blue, not yellow."
plots.show(plots.gallery(rows, columns=6, zoom=1), alt=alt)

# %% [markdown]
# ## `model.eval()` forgotten
#
# Nothing is wrong with the pictures here. In training mode BatchNorm uses the mean and variance of
# the *batch* instead of those it has learnt, so an answer depends on the company. Batches of eight,
# first mixed, then one condition after the other, as folders give them:


# %% tags=["nbval-ignore-output"]
def company(order, size=8):
    awake = copy.deepcopy(doctor).train()  # a copy: its statistics move with every batch
    with torch.no_grad():
        found = torch.cat([awake(batch).argmax(1) for batch in ready[order].split(size)])
    print(f"accuracy {(found == labels[order]).float().mean():.2f}")
    return found[order.argsort()]


mixed = company(torch.arange(len(labels)))
by_folder = company(labels.argsort(stable=True))
print(f"answers that differ: {(mixed != by_folder).sum()} of {len(labels)}")

# %% [markdown]
# Mixed, little is lost, so the fault stays hidden until somebody sorts the files. If all
# eight leaves have rust, rust is what the batch's mean takes away. Ask twice, in another order: no
# other fault changes an answer.

# %% [markdown]
# ## Thirteen faults
#
# `feeding.FAULTS` has these and more. `part` says where a fault sits: in the inputs, in the
# network's mode, or in the answers, when labels are numbered otherwise than the network counts.

# %%
for fault in feeding.FAULTS.values():
    print(f"{fault.name:25} {fault.part:8} {fault.cause}")

# %% [markdown]
# `feeding.asked` feeds the doctor in one of these ways and returns its logits, with the labels as
# the file would have them. Fourteen times 200 leaves, in two cells:

# %% tags=["nbval-ignore-output"]
names = [feeding.RIGHT, *feeding.FAULTS]
found = {name: feeding.asked(doctor, test, name) for name in names[:6]}

# %% tags=["nbval-ignore-output"]
found |= {name: feeding.asked(doctor, test, name) for name in names[6:]}

# %% [markdown]
# Which leaves does a fault turn? Comparing leaf by leaf gives an interval: the same 200 leaves with
# and without the fault. Symbols are means, lines 95 % intervals.

# %% tags=["nbval-ignore-output"]
hits = {n: (logits.argmax(1) == truth).float() for n, (logits, truth) in found.items()}
sure = {n: float(logits.softmax(1).amax(1).mean()) for n, (logits, _) in found.items()}
costs = {name: evidence.paired(hits[name], hits["right"]) for name in feeding.FAULTS}
title = f"What each fault costs (right: {hits['right'].mean():.2f}, confidence {sure['right']:.2f})"
worst = min(costs, key=lambda name: costs[name].effect)
chart = plots.fault_costs(costs, sure, title)
plots.show(chart, alt=f"Change of accuracy by fault; {worst} costs most. Confidence stays high.")

# %% tags=["nbval-ignore-output"]
order = sorted(FIVE, key=lambda name: costs[name].effect)
print(practice.compare("09-most", order[0]))
print(practice.compare("09-least", order[-1]))

# %% [markdown]
# Read the chart in two halves. Faults of the *labels* cost nearly everything, though the network is
# as good as ever: the ruler is wrong. Among faults of the *inputs*, losses run from most of the
# accuracy to what cannot be told from nothing. The confidences at the right
# do not follow.

# %% [markdown]
# ## One leaf, thirteen meals
#
# The same leaf under every fault, as the network sees it, with its answer and confidence. A tick is
# right. The last three change nothing in the picture; in the last two, the file has another name
# for the leaf.

# %% tags=["nbval-ignore-output"]
LEAF = 61


def meal(name):
    inputs = feeding.preparation(doctor, name)(pictures[LEAF : LEAF + 1])
    (logits, truth), seen = found[name], plots.as_seen(inputs, doctor.preprocess)[0]
    sure, answer = logits[LEAF].softmax(0).max(0)
    file = doctor.classes[int(truth[LEAF])]
    return plots.Fed(seen, doctor.classes[int(answer)], float(sure), file)


meals = {name: meal(name) for name in found}
wrong = [name for name, one in meals.items() if one.answer != one.label]
title = f"One leaf with {meals['right'].label}, as the network sees it"
alt = f"The leaf in fourteen ways. Wrong answers: {', '.join(wrong)}."
plots.show(plots.fed_gallery(meals, title), alt=alt)

# %% [markdown]
# ## Symptom 1: the numbers
#
# Grey is how the numbers should lie. Look at where they begin and end, how wide they are, and
# whether the three colours have kept their order. Beyond ±3 they are counted at the edge.

# %% tags=["nbval-ignore-output"]
ways = ("right", "no mean and std", "another mean and std", "0 to 255", "BGR", "grey")
given = {name: feeding.preparation(doctor, name)(pictures) for name in ways}
chart = plots.input_histograms(given, ready)
alt = "Histograms of inputs: without mean and std from 0 to 1; 0.5 and 0.5 from −1 to 1; "
alt += "0 to 255 beyond the edge; BGR with red and blue exchanged; grey with one shape for all."
plots.show(chart, alt=alt)

# %% [markdown]
# ## Symptom 2: the confusion matrix
#
# Rows are the labels of the file, columns the answers. Shifted or shuffled, but clear: the names
# are wrong, not the network. One dark column: it sees everything alike. Everything spread: it
# cannot see what matters, or answers hang on the company.

# %% tags=["nbval-ignore-output"]
ways = ("right", "labels off by one", "classes in another order", "0 to 255", "grey")
ways += ("training mode",)
pairs = {name: (found[name][1], found[name][0].argmax(1)) for name in ways}
alt = "Confusion matrices: a diagonal; a diagonal moved by one; one strong cell a row, shuffled; "
alt += "one column for 0 to 255; few columns for grey; all cells for training mode."
plots.show(plots.confusions(pairs, doctor.classes), alt=alt)

# %% [markdown]
# ## The key, part 1: look at numbers and picture
#
# | you see | suspect | cure |
# |---|---|---|
# | all numbers in 0 … 1 | no normalisation | subtract mean, divide by std |
# | −1 … 1 | another mean and std | those of the weights |
# | hundreds | 0 to 255 | divide by 255 |
# | blue for yellow | BGR | `[:, [2, 1, 0]]` |
# | no colour | grey | read in colour |

# %% [markdown]
# ## The key, part 2: look at the shape
#
# | you see | suspect | cure |
# |---|---|---|
# | another size than in pretraining | not resized | resize |
# | a part of the picture | corner crop | resize the whole |
# | too wide | stretched | keep the ratio |
# | blocks | compressed | send originals |
# | jagged edges | another filter | bilinear, antialias |

# %% [markdown]
# ## The key, part 3: the picture is fine
#
# | you see | suspect | cure |
# |---|---|---|
# | another order, other answers | training mode | `model.eval()` |
# | the diagonal moved by one | labels from 1 | subtract one |
# | a clear matrix, shuffled | order of classes | names saved with the model |
# | nothing of all this | the network itself | new labels, more training |

# %% [markdown]
# ## Broken on purpose
#
# Choose a fault, or one of each part, and go through the leaves. Each fault is computed when you
# first choose it. Can you find two faults that cancel?

# %% tags=["nbval-ignore-output"]
widgets.broken_on_purpose()

# %% [markdown]
# ## The mystery
#
# Now a fault is drawn by chance and hidden; in one case of fourteen nothing is wrong. Look at
# several leaves, then decide. Only your first diagnosis counts.

# %% tags=["nbval-ignore-output"]
widgets.mystery_fault()

# %% [markdown]
# ## Does training repair it?
#
# So far training was right and use was wrong. What if both are wrong in the same way? The stored
# runs fine-tune `resnet10` on 200 labels, five seeds, and test it. Take BGR on leaves; each row is
# a difference from the same training with the right feed, paired by seed.

# %%
stored = evidence.load("sweep_feeding")
leaves = stored[stored.task == "leaves_128"]
for way in ("fed wrongly", "fine-tuned", "head alone"):
    mine = leaves[leaves.strategy == way].pivot(index="seed", columns="fault")["test_balanced"]
    print(f"{way:12}", evidence.paired(mine["BGR"], mine["right"]))

# %% [markdown]
# `fed wrongly`: trained rightly, then tested with the fault. The two others learned with the fault
# in every picture, all weights or the head alone. Now all faults of the inputs on three targets:

# %%
TARGETS = {"leaves_128": "leaves", "satellite": "satellite scenes", "pneumonia": "chest X-rays"}
chart = plots.repairs(stored, TARGETS, title="Fed wrongly: without and with training on it")
means = stored.groupby(["fault", "strategy"]).test_balanced.mean().unstack().round(2)
alt = f"Differences from the right feed on three targets. Means: {means.to_dict('index')}"
plots.show(chart, alt=alt)

# %% [markdown]
# Compare the black cross with the blue circle in each row. Where blue is back at zero, training has
# repaired the fault: the weights have moved to other numbers or colours. Where blue stays behind,
# something was *taken from the picture*, which no training finds again, or 200 labels were too few
# to adapt. The green diamond says how much repair the frozen backbone allowed.

# %% [markdown]
# Rows at zero without any width changed nothing at all. An X-ray is grey: red, green and blue are
# the same, and there is nothing to exchange or lose. *Does not apply* stands where pictures have
# the network's size already. No fault is harmless as such. It depends on what the task needs.

# %% [markdown]
# ## Are X-rays fed wrongly?
#
# A photograph's mean and spread for a grey X-ray: is that why pretraining brings X-rays so little?
# If so, another feed should do better. First what fine-tuning gains over from scratch, from the
# runs of the last lesson; then every other feed beside the usual one.

# %%
gains = evidence.gains(evidence.load("sweep_suspects"))
usual = (gains.source == "photographs") & (gains.strategy == "fine-tuned")
for row in gains[usual & (gains.task == "pneumonia")].itertuples():
    print(f"gain, {row.labels} labels: {row.gain:+.3f} [{row.low:+.3f}, {row.high:+.3f}]")
tuned = stored[(stored.task == "pneumonia") & (stored.strategy == "fine-tuned")]
table = tuned.pivot(index="seed", columns="fault", values="test_balanced")
for fault in table.columns.drop("right"):
    print(f"{fault:21}", evidence.paired(table[fault], table["right"]))

# %% [markdown]
# An interval above zero would name a better feed than the usual one. If none is, the small gain is
# not a matter of feeding: look at the source and at the task instead, as in lesson 08.

# %% [markdown]
# ## Let the model carry its preprocessing
#
# Faults come in when weights travel alone. `models.save` writes two files: the weights, and a JSON
# with everything that belongs to them. `models.open` builds the network, its preprocessing and the
# names of its classes from both.

# %%
folder = models.save(doctor, Path("leaf_doctor_saved"))
about = json.loads((folder / "model.json").read_text())
for key in ("network", "classes", "preprocessing"):
    print(f"{key}: {about[key]}")
opened = models.open(folder)
before, after = (train.predict(model, pictures[:50]) for model in (doctor, opened))
print("same answers:", torch.allclose(before, after, atol=1e-3))

# %% [markdown]
# Somebody edits the file: 0.5 and 0.5, as in so many examples. The JSON keeps a checksum of itself,
# so that this is noticed:

# %%
about["preprocessing"] |= {"mean": [0.5] * 3, "std": [0.5] * 3}
(folder / "model.json").write_text(json.dumps(about))
try:
    models.open(folder)
except store.CourseError as error:
    print(error)

# %% [markdown]
# And if somebody exchanges the preprocessing of an opened model, it refuses to predict:

# %%
opened.preprocess = models.Preprocess(64, mean=(0.5,) * 3, std=(0.5,) * 3)
try:
    train.predict(opened, pictures[:50])
except store.CourseError as error:
    print(error)

# %% [markdown]
# A wrong answer has become an error message. Where the pictures themselves look doubtful, the
# course warns. These are thumbnails of 20 × 20:

# %%
thumbnails = F.interpolate(pictures[:50].float(), (20, 20), mode="area").byte()
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    train.evaluate(models.load("leaf_doctor"), tasks.Split(thumbnails, labels[:50]))
print(told[0].message)
shutil.rmtree(folder)  # its JSON is spoiled

# %% [markdown]
# What nobody can know is whether your pictures were BGR before they arrived. That remains for you
# to look at; `doctor.preprocess.seen(pictures)` is what the network sees, in one line.

# %% [markdown]
# ## Break it
#
# How much can JPEG take away, and how large must a mixed batch be until training mode does no harm?
# Change the two numbers. Quality goes from 1 to 95.

# %% tags=["nbval-ignore-output"]
QUALITY, BATCH = 30, 2

squeezed = feeding.compressed(pictures, quality=QUALITY)
mixed = company(torch.arange(len(labels)), BATCH)
ask((small(squeezed) - MEAN) / STD)

# %% [markdown]
# ## Exercise 1: prepare files
#
# `practice.camera_files()` gives leaves as OpenCV reads them: numpy arrays, uint8, (height, width,
# 3), blue first, of several sizes. Make of them what the doctor was trained on, in your own lines.
# The check recognises the step that is missing or wrong.
#
# <details><summary>Hint</summary>Turn the colours round, put them first with `permute`, then as
# above. `torch.from_numpy` wants `.copy()` after `[..., ::-1]`.</details>


# %% tags=["exercise"]
def prepare(files):
    ready = []
    # fill ready: (1, 3, 64, 64) for each file
    ### BEGIN SOLUTION
    for file in files:
        picture = torch.from_numpy(file[..., ::-1].copy()).permute(2, 0, 1)
        ready.append((small(picture[None]) - MEAN) / STD)
    ### END SOLUTION
    return torch.cat(ready) if ready else None


print(practice.check_prepare(prepare))

# %% [markdown]
# ## Exercise 2: three patients
#
# `practice.feeding_cases()` gives three leaf doctors, each with one of the thirteen faults, by
# letter. You have answers only: `logits`, `again` (the same leaves asked in another order) and
# `labels` of the file. Which fault is it?
#
# <details><summary>Hint</summary>Use `plots.confusions`, the mean confidence, and count where
# `logits` and `again` answer differently.</details>

# %% tags=["exercise", "nbval-ignore-output"]
cases = practice.feeding_cases()
pairs = {letter: (case.labels, case.logits.argmax(1)) for letter, case in cases.items()}
chart = plots.confusions(pairs, doctor.classes)
plots.show(chart, alt="Confusion matrices of the cases A, B and C, to be diagnosed.")
diagnoses = {"A": "", "B": "", "C": ""}  # a name from feeding.FAULTS for each
### BEGIN SOLUTION
diagnoses = {"A": "classes in another order", "B": "training mode", "C": "0 to 255"}
### END SOLUTION
print(practice.check_diagnoses(diagnoses))

# %% [markdown]
# ## Exercise 3: which number is rust?
#
# Another clinic numbers the five classes in its own order and has lost the list of names. Find it:
# `number_of[k]` is their number of the doctor's class `k`. You have 100 of their leaves.
#
# <details><summary>Hint</summary>Take the leaves that the doctor calls rust. Which of their labels
# is most frequent? `torch.mode` or `bincount().argmax()` says.</details>

# %% tags=["exercise"]
theirs = practice.their_leaves()
answers = feeding.logits(doctor, theirs.inputs).argmax(1)
number_of = [0, 1, 2, 3, 4]
# find the right numbers
### BEGIN SOLUTION
number_of = [int(theirs.labels[answers == k].mode().values) for k in range(5)]
### END SOLUTION
print(practice.check_numbers(number_of))

# %% [markdown]
# ## The claims
#
# **prep-1**: *inputs must be preprocessed exactly as in pretraining, or accuracy drops.* It holds
# for the faults and tasks where a network that was trained rightly loses beyond doubt when it is
# fed wrongly. **neg-3**: *photographs help with X-rays.* Feeding was one suspect.

# %%
for claim in ("prep-1", "neg-3"):
    verdict = evidence.settle(claim)
    print(f"{claim} {verdict.verdict}\n    {verdict.condition}\n    {verdict.interval}")

# %% [markdown]
# ## What you measured
#
# The same weights and pictures gave everything from good to guessing, and the confidence did not
# say which. *Exactly as in pretraining* is too strict for some steps and vital for others. Numbers,
# picture, matrix, another order: four looks name the fault. Training with a fault may repair it;
# what is gone from the picture stays gone.

# %% [markdown]
# ## Go further
#
# - Your own photos: `tasks.folder("path")`, one folder a class, reads, turns and resizes them.
#   Draw what the network sees before you train.
# - Official weights have their own numbers: print `models.load("resnet18").preprocess.size`.
# - In a terminal: `tl-course predict FOLDER PICTURE` uses what `models.save` wrote.
