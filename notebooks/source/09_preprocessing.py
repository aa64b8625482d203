# %% [markdown]
# # Same picture, same weights, wrong answer: why?
#
# Between a picture and a network lie a few dull lines: divide, resize, subtract. One of them wrong,
# and nothing stops: no error, only worse answers. You will break them one by one, and learn to tell
# from the symptoms which one it was.
#
# **After this lesson you can** look at what reaches a network, recognise thirteen faults, and save
# a model together with its preprocessing, so that nobody exchanges it unnoticed.

# %%
import copy
import json
import warnings

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from tl_course import evidence, lessons, models, plots, practice, store, tasks, train
from tl_course.lessons import preprocessing

# %% [markdown]
# ## The leaf doctor
#
# `leaf_doctor` is `resnet10`, fine-tuned on 10,000 leaves of 64 × 64 pixels. Now it gets new leaves
# from a better camera, 128 × 128. You train nothing in this lesson: the weights stay as they are.

# %%
doctor = models.load("leaf_doctor")
test = tasks.load("leaves_128").test.take(range(200))
pictures, labels = test.inputs, test.labels
print("classes:", ", ".join(doctor.classes))
print("pictures:", tuple(pictures.shape), pictures.dtype)

# %% [markdown]
# ## Predict first
#
# Five things go wrong, one at a time. Nobody subtracts the mean and divides by the standard
# deviation of pretraining. Pictures run from 0 to 255 instead of 0 to 1. Colours come as blue,
# green, red (BGR) instead of RGB. A corner is cut out instead of resizing. Or resizing takes single
# pixels where training took means of several (another *filter*). Which costs most accuracy, and
# which least?

# %% tags=["nbval-ignore-output"]
FIVE = ("no mean and std", "0 to 255", "BGR", "corner crop", "another filter")
practice.predict("09-most", "Most accuracy is lost with …", FIVE)

# %% tags=["nbval-ignore-output"]
practice.predict("09-least", "Least is lost with …", FIVE)

# %% [markdown]
# ## The right way
#
# Three steps: scale to [0, 1]; resize to the size of training; *normalise*, that is, subtract each
# channel's mean and divide by its standard deviation. These six numbers belong to the weights:
# `resnet10` was pretrained with them. They were measured on ImageNet, a large collection of
# photographs.
#
# `bilinear` with `antialias` makes each new pixel a weighted mean of the old ones around it.

# %%
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)  # red, green, blue
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def small(pictures):
    scaled = pictures.float() / 255
    return F.interpolate(scaled, (64, 64), mode="bilinear", antialias=True)


ready = (small(pictures) - MEAN) / STD
print("as doctor.preprocess:", torch.allclose(ready, doctor.preprocess(pictures), atol=1e-5))

# %% [markdown]
# `ask` gives inputs to the network as they are. Confidence is, as in lesson 06, the probability of
# the answer.


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
# Two looks, a few lines each. First undo the normalisation and draw: this is what the network sees.
# Then describe the numbers, channel by channel.

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
# Means near 0, spreads not far from 1, nothing beyond ±3: such numbers it was trained on. They are
# not exactly 0 and 1, for leaves have other colours than ImageNet. When you train a network, keep
# these three lines. They are the first thing to compare when it fails.

# %% [markdown]
# ## Break one thing at a time
#
# The usual accident first: somebody forgets to normalise (first line). Or takes 0.5 as mean and as
# standard deviation, as many examples do (second line). Read the accuracy, then the confidence.

# %% tags=["nbval-ignore-output"]
forgotten = small(pictures)
ask(forgotten)
ask((small(pictures) - 0.5) / 0.5)

# %% [markdown]
# It is much more often wrong, and still quite sure: confidence falls far less than accuracy. *It
# does not warn you.* Now nobody divides by 255 (first line), then blue comes first (second line),
# as OpenCV, a much used library, reads files.

# %% tags=["nbval-ignore-output"]
ask((255 * small(pictures) - MEAN) / STD)
swapped = (small(pictures)[:, [2, 1, 0]] - MEAN) / STD
ask(swapped)

# %% [markdown]
# With 0 to 255 it is surest of all, and little better than guessing, which is 0.20: all it sees is
# white. This is what it sees with two of the other faults:

# %% tags=["nbval-ignore-output"]
ways = {"right": ready, "forgotten": forgotten, "BGR": swapped}
rows = {name: doctor.preprocess.undone(inputs[:6]) for name, inputs in ways.items()}
alt = "Six leaves as seen: right; without mean and std pale and flat; as BGR blue, not yellow."
plots.show(plots.gallery(rows, columns=6, zoom=1), alt=alt)

# %% [markdown]
# ## `model.eval()` forgotten
#
# `models.load` returns a network in eval mode. After training of your own, it is easily left in the
# other. Nothing is wrong with the pictures then. But in training mode BatchNorm uses the mean and
# variance of the *batch* instead of its notes (lesson 04), so an answer depends on the other
# pictures in it. Batches of eight, first with the conditions mixed, then one condition after the
# other, as folders give them:


# %% tags=["nbval-ignore-output"]
def company(order, size=8):
    awake = copy.deepcopy(doctor).train()  # a copy: its statistics move with every batch
    with torch.no_grad():
        found = torch.cat([awake(batch).argmax(1) for batch in ready[order].split(size)])
    print(f"accuracy {(found == labels[order]).float().mean():.2f}")
    return found[order.argsort()]  # as the leaves come in the file, to compare


mixed = company(torch.arange(len(labels)))
by_folder = company(labels.argsort(stable=True))
print(f"answers that differ: {(mixed != by_folder).sum()} of {len(labels)}")

# %% [markdown]
# Mixed, less is lost, so the fault may stay hidden until somebody sorts the files. If all eight
# leaves have rust, what rust does to the features is in the batch's mean, and is subtracted.
#
# To find this fault, ask twice, in another order. In eval mode each leaf is answered by itself:
# there, order changes nothing.

# %% [markdown]
# ## Thirteen faults
#
# `preprocessing.FAULTS` has these and more. `part`, the second column, says where a fault sits: in
# the inputs, in the network's mode, or in the answers: there the file numbers the classes otherwise
# than the network. (Counted from 1, each number means the class before it; the last becomes 0
# here.)

# %%
for fault in preprocessing.FAULTS.values():
    print(f"{fault.name:25} {fault.part:8} {fault.cause}")

# %% [markdown]
# `preprocessing.asked` feeds the doctor in one of these ways and returns its logits, with the
# labels as the file would have them. In training mode it gets the leaves sorted by condition. The
# right way and thirteen faults, 200 leaves each, in two cells:

# %% tags=["nbval-ignore-output"]
names = [preprocessing.RIGHT, *preprocessing.FAULTS]
found = {name: preprocessing.asked(doctor, test, name) for name in names[:6]}

# %% tags=["nbval-ignore-output"]
found |= {name: preprocessing.asked(doctor, test, name) for name in names[6:]}

# %% [markdown]
# What does each fault cost? The same 200 leaves are asked with and without it, so subtract leaf by
# leaf and take the mean. Symbols are means, lines their 95 % intervals; a line across zero: no loss
# beyond doubt. The numbers at the right are confidences.

# %% tags=["nbval-ignore-output"]
hits = {n: (logits.argmax(1) == truth).float() for n, (logits, truth) in found.items()}
sure = {n: float(logits.softmax(1).amax(1).mean()) for n, (logits, _) in found.items()}
costs = {name: evidence.paired(hits[name], hits["right"]) for name in preprocessing.FAULTS}
title = f"What each fault costs (right: {hits['right'].mean():.2f}, confidence {sure['right']:.2f})"
worst = min(costs, key=lambda name: costs[name].effect)
chart = preprocessing.fault_costs(costs, sure, title)
plots.show(chart, alt=f"Change of accuracy by fault; {worst} costs most. Confidence stays high.")

# %% tags=["nbval-ignore-output"]
order = sorted(FIVE, key=lambda name: costs[name].effect)
print(practice.compare("09-most", order[0]))
print(practice.compare("09-least", order[-1]))

# %% [markdown]
# Read the chart by symbol. Faults of the *answers* (diamonds) cost nearly everything, though the
# network is as good as ever: the ruler is wrong. Training mode (square) is costly when files are
# sorted. Among faults of the *inputs* (circles), losses run from most of the accuracy to what
# cannot be told from nothing. The confidences do not follow.

# %% [markdown]
# ## One leaf, thirteen meals
#
# The same leaf under every fault, as the network sees it. Below stand its answer and confidence; a
# tick means that the answer is the file's label. The last three faults change nothing in the
# picture. In the last two the answer stays, and has a cross because the file has another name for
# the leaf.

# %% tags=["nbval-ignore-output"]
LEAF = 61  # any from 0 to 199


def meal(name):
    inputs = preprocessing.preparation(doctor, name)(pictures[LEAF : LEAF + 1])
    (logits, truth), seen = found[name], doctor.preprocess.undone(inputs)[0]
    sure, answer = logits[LEAF].softmax(0).max(0)
    file = doctor.classes[int(truth[LEAF])]
    return preprocessing.Tile(seen, doctor.classes[int(answer)], float(sure), file)


meals = {name: meal(name) for name in found}
wrong = [name for name, one in meals.items() if one.answer != one.label]
title = f"One leaf with {meals['right'].label}, as the network sees it"
alt = f"The leaf in fourteen ways. Wrong answers: {', '.join(wrong)}."
plots.show(preprocessing.fed_gallery(meals, title), alt=alt)

# %% [markdown]
# ## Symptom 1: the numbers
#
# How often does each number occur? Lines: what reaches the network, channel by channel. Grey area:
# how it should be. Look where the lines begin and end (printed at the right), how wide they are,
# and whether red and blue have changed places. Numbers beyond ±3 are counted at the edge; curves
# that are too high are cut off.

# %% tags=["nbval-ignore-output"]
ways = ("right", "no mean and std", "another mean and std", "0 to 255", "BGR", "grey")
given = {name: preprocessing.preparation(doctor, name)(pictures) for name in ways}
chart = preprocessing.input_histograms(given, ready)
alt = "Histograms of inputs: without mean and std from 0 to 1; 0.5 and 0.5 from −1 to 1; "
alt += "0 to 255 beyond the edge; BGR with red and blue exchanged; grey with one shape for all."
plots.show(chart, alt=alt)

# %% [markdown]
# ## Symptom 2: the confusion matrix
#
# A *confusion matrix* counts leaves: one row for each label of the file, one column for each
# answer. Right answers lie on the diagonal. One strong cell in each row, but off the diagonal: the
# names are wrong, not the network. One dark column: it takes all leaves for the same. A few
# columns: it cannot see what tells the others apart. All spread: answers depend on something else
# than the leaf.

# %% tags=["nbval-ignore-output"]
ways = ("right", "labels off by one", "classes in another order", "0 to 255", "grey")
ways += ("training mode",)
pairs = {name: (found[name][1], found[name][0].argmax(1)) for name in ways}
alt = "Confusion matrices: a diagonal; a diagonal moved by one; one strong cell a row, shuffled; "
alt += "one column for 0 to 255; few columns for grey; all cells for training mode."
plots.show(preprocessing.confusions(pairs, doctor.classes), alt=alt)

# %% [markdown]
# ## The key, part 1: look at numbers and picture
#
# | you see | suspect | cure |
# |---|---|---|
# | all numbers in 0 … 1 | no mean and std | subtract mean, divide by std |
# | all in −1 … 1 | another mean and std | those of the weights |
# | hundreds, a white picture | 0 to 255 | divide by 255 |
# | cyan for yellow, blue for brown | BGR | `pictures[:, [2, 1, 0]]` |
# | no colour | grey | read in colour |

# %% [markdown]
# ## The key, part 2: look at size, cut and detail
#
# | you see | suspect | cure |
# |---|---|---|
# | `inputs.shape` is not 64 × 64 | not resized | resize as in training |
# | only a corner of the picture | corner crop | resize the whole |
# | things twice as wide | stretched | keep the ratio of training |
# | blocks, leaking colours | compressed | send originals |
# | jagged edges | another filter | bilinear, antialias |

# %% [markdown]
# ## The key, part 3: the picture is fine
#
# | you see | suspect | cure |
# |---|---|---|
# | another order, other answers | training mode | `model.eval()` |
# | the diagonal moved by one | labels off by one | subtract one |
# | a clear matrix, shuffled | classes in another order | names saved with the model |
# | nothing of all this | the network itself | new labels, more training |

# %% [markdown]
# ## Broken on purpose
#
# Choose a fault of the pictures, of the mode, of the labels, or of several at once, and move
# *leaf*. Every fault is computed when you first choose it, which takes a moment.
#
# Then tick *model.eval() forgotten* and go through the faults of the pictures again. Which cost
# much before and hardly cost more now? Think of what BatchNorm does to a batch.

# %% tags=["nbval-ignore-output"]
preprocessing.broken_on_purpose()

# %% [markdown]
# ## The mystery
#
# Now a fault is drawn by chance and hidden; in one case of fourteen nothing is wrong. Look at
# several leaves and at all panels, choose a diagnosis, press *Diagnose*. If it is wrong, you are
# told why and may try again; only the first try counts. *Next case* gives an open case up and tells
# what it was.

# %% tags=["nbval-ignore-output"]
preprocessing.mystery_fault()

# %% [markdown]
# ## Does training repair it?
#
# So far training was right and use was wrong. What if both are wrong in the same way? The stored
# runs train `resnet10` on 200 labels, five seeds, and test it. Take BGR on leaves. Each line is the
# balanced accuracy with the fault minus that of the same training without it, paired by seed.

# %%
stored = evidence.load("sweep_feeding")
leaves = stored[stored.task == "leaves_128"]
for way in ("fed wrongly", "fine-tuned", "head alone"):
    mine = leaves[leaves.strategy == way].pivot(index="seed", columns="fault")["test_balanced"]
    print(f"{way:12}", evidence.paired(mine["BGR"], mine["right"]))

# %% [markdown]
# `fed wrongly`: fine-tuned rightly, then tested with the fault. The two others were trained *and*
# tested with the fault in every picture, all weights or the head alone. Now all faults of the
# inputs on three targets:

# %%
TARGETS = {"leaves_128": "leaves", "satellite": "satellite scenes", "pneumonia": "chest X-rays"}
chart = preprocessing.repairs(stored, TARGETS, title="Fed wrongly: without and with training on it")
means = stored.groupby(["fault", "strategy"]).test_balanced.mean().unstack().round(2)
alt = f"Differences from the right feed on three targets. Means: {means.to_dict('index')}"
plots.show(chart, alt=alt)

# %% [markdown]
# Compare the black cross with the blue circle in each row. Back at zero: training has repaired the
# fault, the weights have moved to other numbers or colours. Behind: something was *taken from the
# picture*, which no training finds again, or 200 labels were too few. Right of zero: once trained
# on, it was no fault, as when larger pictures show more. The green diamond says how much repair the
# frozen backbone allowed.

# %% [markdown]
# Rows at zero without any width changed nothing at all. An X-ray is grey: red, green and blue are
# the same, and there is nothing to exchange or lose. *Does not apply* stands where pictures have
# the network's size already. So no fault is harmless or harmful by itself: it depends on what the
# task needs.

# %% [markdown]
# ## Are X-rays fed wrongly?
#
# The mean and spread of photographs, for a grey X-ray: is that why pretraining brings so little to
# X-rays? If so, another feed should do better. First lines: what fine-tuning gains over from
# scratch, from the runs of lesson 08. Then each other feed minus the usual one, fine-tuned with it.

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
# Faults come in when weights travel alone. `models.save` writes one file: the weights, and beside
# them, as JSON, what belongs to them. `models.open` builds the network, its preprocessing and the
# names of its classes from it.

# %%
path = models.save(doctor, "leaf_doctor_saved")
about = json.loads(store.read_metadata(path)["tl_course"])
for key in ("network", "classes", "preprocessing"):
    print(f"{key}: {about[key]}")
opened = models.open(path)
before, after = (train.predict(model, pictures[:50]) for model in (doctor, opened))
print("same answers:", torch.allclose(before, after, atol=1e-3))
path.unlink()  # so that your folder is as it was

# %% [markdown]
# Somebody edits the file: 0.5 and 0.5. The JSON also keeps its own *checksum*, a short code
# computed from the rest, which no longer fits. So this is noticed:

# %%
path = models.save(doctor, "leaf_doctor_edited")
about["preprocessing"] |= {"mean": [0.5] * 3, "std": [0.5] * 3}
save_file(store.load_weights(path), path, {"tl_course": json.dumps(about)})
try:
    models.open(path)
except store.CourseError as error:
    print(error)
path.unlink()

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

# %% [markdown]
# What no file can know is whether your pictures were BGR, cropped or compressed before they
# arrived. That remains for you to look at: `doctor.preprocess.seen(pictures)` is what the network
# sees, in one line, ready to be drawn.

# %% [markdown]
# ## Break it
#
# Change the two numbers. The first line is training mode with mixed batches of `BATCH`: how large
# must they be until it does no harm? The second is JPEG at `QUALITY`, from 1 to 95 (the fault above
# has 8): how low may it be?

# %% tags=["nbval-ignore-output"]
QUALITY, BATCH = 30, 2

squeezed = preprocessing.compressed(pictures, quality=QUALITY)
mixed = company(torch.arange(len(labels)), BATCH)
ask((small(squeezed) - MEAN) / STD)

# %% [markdown]
# ## Exercise 1: prepare files
#
# `preprocessing.camera_files()` gives leaves as OpenCV reads them: numpy uint8 (height, width, 3),
# blue first, of several sizes. Make the doctor's inputs of them, without `doctor.preprocess`. Its
# rule: the whole picture to a square, whatever the ratio. The check recognises the wrong step.
#
# <details><summary>Hint</summary>File by file: <code>file[..., ::-1].copy()</code>, then
# torch.from_numpy, permute(2, 0, 1) and [None] for the batch. The rest as above.</details>


# %% tags=["exercise"]
def prepare(files):
    ready = []
    # fill ready: a float32 tensor (1, 3, 64, 64) for each file
    ### BEGIN SOLUTION
    for file in files:
        picture = torch.from_numpy(file[..., ::-1].copy()).permute(2, 0, 1)
        ready.append((small(picture[None]) - MEAN) / STD)
    ### END SOLUTION
    return torch.cat(ready) if ready else None


print(preprocessing.check_prepare(prepare))

# %% [markdown]
# ## Exercise 2: three patients
#
# A, B and C are leaf doctors, each with another of the thirteen faults. You see no pictures, only
# answers: `cases["A"].logits`; `cases["A"].again`, for the same leaves asked in another order and
# put back in place; and `cases["A"].labels`, of the file. Name each fault.
#
# <details><summary>Hint</summary>Read each matrix as in symptom 2. Mean confidence:
# <code>logits.softmax(1).amax(1).mean()</code>. Changed answers:
# <code>(logits.argmax(1) != again.argmax(1)).sum()</code>.</details>

# %% tags=["exercise", "nbval-ignore-output"]
cases = preprocessing.feeding_cases()
pairs = {letter: (case.labels, case.logits.argmax(1)) for letter, case in cases.items()}
chart = preprocessing.confusions(pairs, doctor.classes)
plots.show(chart, alt="Confusion matrices of the cases A, B and C, to be diagnosed.")
diagnoses = {"A": "", "B": "", "C": ""}  # a name from preprocessing.FAULTS for each
### BEGIN SOLUTION
diagnoses = {"A": "classes in another order", "B": "training mode", "C": "0 to 255"}
### END SOLUTION
print(preprocessing.check_diagnoses(diagnoses))

# %% [markdown]
# ## Exercise 3: which number is rust?
#
# Another clinic numbers the five classes in its own order and has lost the names. You have 100 of
# its leaves with its numbers, `theirs.labels`, and the doctor's `answers`. Find `number_of`: entry
# `k` is *their* number for the *doctor's* class `k`.
#
# <details><summary>Hint</summary>Rust is class 1. Which number is most frequent in
# <code>theirs.labels[answers == 1]</code>? <code>.mode().values</code> or
# <code>.bincount().argmax()</code> says.</details>

# %% tags=["exercise"]
theirs = preprocessing.their_leaves()
answers = preprocessing.logits(doctor, theirs.inputs).argmax(1)
number_of = [0, 1, 2, 3, 4]
# find the right numbers
### BEGIN SOLUTION
number_of = [int(theirs.labels[answers == k].mode().values) for k in range(5)]
### END SOLUTION
print(preprocessing.check_numbers(number_of))

# %% [markdown]
# ## The claims
#
# Two claims are easily mixed up. **prep-1**: *when you fine-tune, prepare inputs exactly as in
# pretraining*: the network is trained and tested with the same fault. **prep-2**: *when you
# predict, prepare them as in your own training*: it is trained rightly and fed wrongly. **neg-3**:
# *photographs help with X-rays.* Feeding was one suspect.

# %%
for claim in ("prep-1", "prep-2", "neg-3"):
    print(lessons.settle(claim), end="\n\n")

# %% [markdown]
# ## What you measured
#
# The same weights and pictures gave everything from good to guessing, and the confidence did not
# say which. *Exactly as in pretraining* is too strict for some steps and vital for others. Look at
# the numbers, the picture, the matrix, and another order: together they name the fault. Training
# with a fault may repair it; what is gone from the picture stays gone.

# %% [markdown]
# ## Go further
#
# - Your own photos: `tasks.folder("path")`, one folder a class, reads them, turns them upright and
#   resizes them. Draw what the network sees before you train.
# - Other weights want another size: print `models.load("resnet18").preprocess.size`.
# - In a terminal: `tl-course predict MODEL PICTURE` uses what `models.save` wrote.
