# %% [markdown]
# # When does borrowing knowledge hurt?
#
# *Negative transfer*: what a network has learned before makes it worse at the new job than random
# weights would. Articles warn of it; their example is photographs and satellite pictures. Here the
# suspects stand trial. Each is judged against the same control, and acquittals count.
#
# **After this lesson you can** tell harm from bad luck, find the layers that did it, test a cure,
# and say which warnings can be believed.

# %%
import numpy as np
import torch
from torch.nn import functional as F

from tl_course import evidence, features, lessons, models, plots, practice, surgery, tasks, train
from tl_course.lessons import negative_transfer
from tl_course.tasks import noise, number_words

# %% [markdown]
# ## The suspects
#
# - **Photographs**: `resnet10`, for satellite scenes, X-rays, digits, leaves, materials,
#   *spectrograms* (pictures of spoken digits) and drawn sentences
# - **Readers** of lesson 01, for Italian: Spanish, reversed, enciphered, false friends
#
# Four own networks, for digits, materials, spectrograms:
#
# - **Colours**: materials, asked for the order of their mean colours
# - **Random labels**: materials, labels by chance, learned by heart
# - **Too long on little**: 36 materials, 250 epochs
# - **Noise**: eight kinds of random texture

# %% [markdown]
# Materials, the noise that one source learned from, and sentences of library documentation, whose
# topic is asked for. The last is a job for a reader; can a network of photographs do it?

# %% tags=["nbval-ignore-output"]
text = tasks.load("text_pictures")
kinds = {
    "materials": tasks.load("materials").test.inputs[:8],
    "noise": torch.from_numpy(noise.pictures(np.arange(8), seed=0)),
    "text": text.test.inputs[:8],
}
rows = torch.arange(3).repeat_interleave(8)
chart = plots.contact_sheet(torch.cat([*kinds.values()]), rows, [*kinds])
plots.show(chart, alt="Eight pictures each of materials, of noise and of printed sentences.")

# %% [markdown]
# ## Predict first
#
# Five suspects, each fine-tuned with 300 to 500 labels of the target. Put them in order: who gains
# most over from scratch is first, who does most harm is last. Then **Commit**.

# %% tags=["nbval-ignore-output"]
CASES = {
    "photographs → satellite": ("satellite", "photographs"),
    "photographs → X-rays": ("pneumonia", "photographs"),
    "photographs → pictures of text": ("text_pictures", "photographs"),
    "noise → digits": ("digits", "noise"),
    "reversed Spanish → Italian": ("numbers_italian", "reversed"),
}
practice.predict_ranking("08-order", "From the largest gain to the worst harm:", [*CASES])

# %% [markdown]
# ## One case, live
#
# A reader of *reversed* Spanish, words in the opposite order, is to learn 300 Italian numbers.

# %%
for name in ("spanish_reversed", "italian"):
    print(f"{name:17} 472 = {number_words.spell(name)[472]}")

# %% [markdown]
# It reads its own language without fault. A reader with random weights gets the same 300 numbers,
# the same 120 steps and the same rate. The loop is that of lesson 07, with a rate that falls.


# %%
def learn(model, few, lr=1.5e-2, steps=120):
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        batch = few.train.take(torch.randint(len(few.train), (32,)))
        logits = model(model.preprocess(batch.inputs))
        loss = F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return train.evaluate(model, few.test).accuracy


# %%
italian = tasks.load("numbers_italian")


def begin(source, seed):
    torch.manual_seed(seed)
    if source == "nothing":
        return models.load("reader_spanish", pretrained=False)
    return models.load(f"reader_{source}")


# %% [markdown]
# Three seeds. Each draws its own 300 numbers, the same for both starts: the two are *paired*.

# %% tags=["nbval-ignore-output"]
SEEDS = range(3)
live = {source: [] for source in ("spanish_reversed", "nothing")}
for seed in SEEDS:
    for source, found in live.items():
        found.append(learn(begin(source, seed), italian.few(300, seed)))
    ours, theirs = live["spanish_reversed"][seed], live["nothing"][seed]
    print(f"seed {seed}: reversed {ours:.2f}, nothing {theirs:.2f}, {100 * (ours - theirs):+.0f}")

# %% [markdown]
# The last column is the difference in points of accuracy. Three runs are a suspicion. One seed's
# luck, or a rate that suits one start better, could do the same.

# %% [markdown]
# ## A fair trial
#
# The stored runs have ten seeds. Each start tried three rates, and validation chose. Each seed also
# trained its own reader of the source, so that luck there is counted too.

# %%
stored = evidence.load("sweep_suspects")


def runs(task, labels, source, strategy="fine-tuned"):
    rows = stored[(stored.task == task) & (stored.labels == labels)]
    rows = rows[(rows.source == source) & (rows.strategy == strategy)]
    # of readers: the share of numbers with all four digits right
    return rows.set_index("seed").test_balanced.sort_index()


scratch = runs("numbers_italian", 300, "nothing")
for source in ("reversed", "false friends"):
    print(f"{source:13}", evidence.paired(runs("numbers_italian", 300, source), scratch))

# %%
ours = runs("numbers_italian", 300, "reversed")
found = evidence.paired(ours, scratch)
names, title = ("reversed Spanish", "from scratch"), "Reversed Spanish → Italian, 300 numbers"
chart = negative_transfer.duel(ours, scratch, found, names, title)
plots.show(chart, alt=f"Ten paired seeds and their mean difference: {found}.")

# %% [markdown]
# The verdict is computed from the 95 % interval of the paired differences:
#
# - **guilty**: all of it lies below zero
# - **innocent**: all of it lies above zero
# - **not proven**: it holds zero
#
# False friends, whose words lie about their digits, look like the natural culprit. Look at their
# line above.

# %% [markdown]
# ## The table of suspects
#
# Every source and target, with few and with many labels (50 and 500; readers 30 and 300; text 50
# and 400), fine-tuned and *frozen*: only the head learns. `evidence.gains` does for each what you
# did for one.
#
# Sources made of materials drew some of the pictures that the target *materials* also trains on
# (with other labels, but for *too long on little*), and none of its test pictures.

# %%
gains = evidence.gains(stored)
controls = ("nothing", "words counted")
accused = gains[~gains.source.isin(controls)]
print(len(accused), "intervals; by luck alone, guilty:", round(0.025 * len(accused), 1))

# %% [markdown]
# A 95 % interval misses the truth in 5 of 100 cases, on each side in 2.5. So even among suspects
# who did nothing, about the last number would be found guilty. A stricter trial shares the 5 %
# among all intervals (*Bonferroni*): each becomes wider, and in 95 of 100 such tables none is
# wrong.

# %%
strict = evidence.gains(stored, confidence=1 - 0.05 / len(accused))
chart = negative_transfer.suspects(gains, strict, title="Every suspect: gain over from scratch")
guilty = accused[(accused.high < 0) & (accused.strategy == "fine-tuned")]
pairs = map(negative_transfer.pair, guilty.source, guilty.task)
below = [f"{pair} ({count})" for pair, count in zip(pairs, guilty.labels, strict=True)]
plots.show(chart, alt=f"Gains in four columns. Guilty when fine-tuned: {', '.join(below)}.")

# %% [markdown]
# Orange squares left of the line: guilty. Blue circles on the right: innocent. A filled mark also
# keeps its verdict in the stricter trial; a hollow one does not. Find the articles' example,
# *photographs → satellite scenes*. Then compare the two columns on the left with the two on the
# right. The grey marks are controls; you will need them below.

# %% [markdown]
# In the two columns on the left, look up three more:
#
# - *colours → materials*: the same kind of pictures, another question. With few labels, and with
#   many?
# - *noise → materials*: the source never saw a thing.
# - *random labels*: how far from the line do they get?
#
# The worst harm comes with *many* labels: with few, from scratch learns little, so there is little
# to lose. Like pictures did not protect; the question asked of them matters.

# %% tags=["nbval-ignore-output"]
measured = {}
for name, (task, source) in CASES.items():
    rows = accused[(accused.task == task) & (accused.source == source)]
    rows = rows[rows.strategy == "fine-tuned"].sort_values("labels")
    measured[name] = rows.gain.iloc[-1]
    print(f"{name:31} {100 * measured[name]:+.1f} points")
print(practice.compare_ranking("08-order", practice.ranking(measured, margin=0.02)))

# %% [markdown]
# Does photographs → pictures of text *work*? First: does it beat from scratch in the chart? Even
# that would not be enough. The stored control *reads*: it counts the words of the same sentences,
# and never saw a picture.

# %%
words = runs("text_pictures", 400, "words counted", "frozen")
for source in ("photographs", "nothing"):
    rows = runs("text_pictures", 400, source)
    print(f"{source:12} {rows.mean():.2f}; minus words counted: {evidence.paired(rows, words)}")
print(f"guessing     {1 / len(text.classes):.2f}")

# %% [markdown]
# ## Frozen weights harm more often
#
# Count the guilty in both kinds of training, in the ordinary and in the stricter trial.

# %%
judged = accused.assign(guilty=accused.high < 0, innocent=accused.low > 0)
judged = judged.assign(firmly_guilty=strict.loc[judged.index].high < 0)
columns = ["guilty", "firmly_guilty", "innocent"]
print(judged.groupby("strategy")[columns].sum())
print("cases in each:", judged.groupby("strategy").size().to_dict())

# %%
chart = negative_transfer.two_ways(gains, title="The same cases, fine-tuned and frozen")
wide = accused.pivot(index=["source", "task", "labels"], columns="strategy", values="gain")
only = ((wide["fine-tuned"] >= 0) & (wide["frozen"] < 0)).sum()
plots.show(chart, alt=f"Gain frozen against fine-tuned; {only} of {len(wide)} hurt only if frozen.")

# %% [markdown]
# Each point is one case. In the shaded corner the same source helps if it may change and hurts if
# it may not. Fine-tuning can unlearn what is in the way, though not always all of it; frozen
# features cannot become what they are not.
#
# So *frozen loses to from scratch* says little about the source alone. Ask its control: a head on a
# frozen *random* backbone, the grey crosses. Here is frozen minus that, with many labels:

# %%
table = evidence.Runs(stored)
frozen = gains[(gains.strategy == "frozen") & ~gains.source.isin(controls)]
for source, task in sorted({*zip(frozen.source, frozen.task, strict=True)}):
    both = ({"source": name} for name in (source, "nothing"))
    cell = {"task": task, "labels": table.counts(task)[-1], "strategy": "frozen"}
    print(negative_transfer.pair(source, task), table.compare(*both, **cell))

# %% [markdown]
# Above zero: the source's features know something useful. *Reversed* is among them, and yet it
# hurts when fine-tuned.
#
# Holding zero: random features may do as well; no use is shown.
#
# Below zero: random features do better. The source has lost what they still tell apart. For
# *colours → digits* that is no wonder: colours can be named without shapes.

# %% [markdown]
# ## Can it be foreseen?
#
# It would be good to know before any training. One idea: if a source's features already put
# pictures of one class near each other, they should be useful. Ask each picture's three nearest
# others (*neighbours*) for its class.


# %%
def neighbours(found, labels, k=3):
    found = F.normalize(found)  # equal lengths: near means the same direction
    alike = (found @ found.T).fill_diagonal_(-1.0)  # none is its own neighbour
    near = alike.topk(k).indices
    votes = F.one_hot(labels[near]).sum(1)
    return (votes.argmax(1) == labels).float().mean().item()


# %% tags=["nbval-ignore-output"]
digits = tasks.load("digits").few(50, seed=0).train
torch.manual_seed(0)
networks = {name: models.load(f"resnet10_{name}") for name in ("noise", "random_labels", "colours")}
networks["photographs"] = models.load("resnet10")
networks["nothing"] = models.load("resnet10", pretrained=False)
for name, network in networks.items():
    found = features.extract(network, digits.inputs)
    print(f"{name:14} {neighbours(found, digits.labels):.2f}")

# %% [markdown]
# Compare with the rows *… → digits* in the table. Three more scores:
#
# - **LogME**: how likely the labels are under the best linear model of the features (You and
#   others 2021)
# - **H-score**: how much of the features' spread lies between classes (Bao and others 2019)
# - **CKA with labels**: how far inputs that are alike in features are alike in class; lesson 02

# %% [markdown]
# The course computed all four for every pair, on the training labels alone. Here they are for
# two networks. Its *nearest neighbours* differs a little from yours: it is the mean over the
# classes, and a tie goes to the nearest.

# %% tags=["nbval-ignore-output"]
for name in ("photographs", "nothing"):
    found = features.extract(networks[name], digits.inputs)
    scores = features.transfer_scores(found, digits.labels)
    print(f"{name:12}", {score: round(value, 2) for score, value in scores.items()})

# %%
scores = evidence.load("sweep_scores")
table = negative_transfer.foreseen(scores, gains)
title = "Nearest neighbours against the measured gain"
chart = negative_transfer.scores_and_gains(scores, gains, table, "nearest neighbours", title)
said = table[table.score == "nearest neighbours"].to_dict("records")
alt = "; ".join(
    f"{r['against']}, {r['strategy']}, {r['amount']}: {r['correlation']:.2f}" for r in said
)
plots.show(chart, alt=f"Four panels of scores against gains. Rank correlations: {alt}")

# %% [markdown]
# Each point is a source and a target. A *rank correlation* of 1: whoever scores higher gains more.
# 0: the score says nothing about the order. The interval comes from drawing the pairs again 2,000
# times. It takes them for independent, though many share a target: doubt a little more.
#
# Scores differ between targets for another reason: some targets are easy for any network. Hence the
# lower row: minus the score of a random backbone on the same labels.

# %%
chart = negative_transfer.correlations(table, title="Would it have warned you?")
spread = table.correlation.agg(["min", "max"]).round(2).to_dict()
plots.show(chart, alt=f"Rank correlations of four scores with the gain, all in {spread}.")

# %%
warned = table.pivot(index=["score", "against"], columns=["strategy", "amount"], values="warned")
print(warned.round(2).to_string())

# %% [markdown]
# The printed table is about harm alone: how often a pair that did harm has a lower score than one
# that did not. 0.5 is a coin; 1 would have warned you every time.
#
# All scores ask what *frozen* features can do: are frozen gains foreseen better? Where a mark is
# hollow, no use is shown; filled left of zero, the score misleads. Compare
# each score with its own *minus random*: a control, and no training either.

# %% [markdown]
# ## Anatomy of a case
#
# Which part of the reversed reader does the harm: its letters, its memory, its head? *Transplant*
# one stage into a reader with random weights, and train that.

# %%
donor, patient = begin("spanish_reversed", seed=0), begin("nothing", seed=0)
weights = patient.state_dict()
weights |= {name: w for name, w in donor.state_dict().items() if name.startswith("head.")}
patient.load_state_dict(weights)
print(torch.equal(patient.head.weight, donor.head.weight), "- the head is the donor's")
print(torch.equal(patient.letters.weight, donor.letters.weight), "- the letters are not")

# %% [markdown]
# `surgery.transplant` does this for any stage, and takes BatchNorm's statistics along. Three
# readers, each with one stage from the donor:

# %% tags=["nbval-ignore-output"]
few = italian.few(300, seed=0)
for stage in ("letters", "memory", "head"):
    model = surgery.transplant(donor, begin("nothing", seed=0), stage)
    print(f"only {stage:8} {learn(model, few):.2f}")
print(f"whole source  {live['spanish_reversed'][0]:.2f}")
print(f"nothing       {live['nothing'][0]:.2f}")

# %% [markdown]
# One seed is a suspicion; here are the stored ones, each against from scratch. First each stage
# alone, then all but one, then cures. *Lower rate*: a tenth of it, in as many steps. *Shrink and
# perturb*: half of every weight mixed with half of a random one (Ash and Adams 2020). *Mix in the
# source*: as many numbers of its own language among the Italian ones.

# %%
anatomy = evidence.load("sweep_anatomy")


def autopsy(source):
    rows = anatomy[anatomy.source == source]
    task, labels = rows.task.iloc[0], int(rows.labels.iloc[0])
    names = [name for name in dict.fromkeys(rows.strategy) if name != "from scratch"]
    groups = {"one stage alone": "only", "all but one": "all but", "all, and cures": ""}
    found = {}
    for heading, start in groups.items():
        found[heading] = None
        for name in [name for name in names if name.startswith(start) and name not in found]:
            found[name] = evidence.Runs(rows).compare(name, "from scratch")
    return found, f"{negative_transfer.pair(source, task)}, {labels} labels"


# %%
found, title = autopsy("reversed")
sides = {"gain": "helps", "loss": "hurts"}
chart = plots.differences(found, **sides, title=title)
plots.show(chart, alt="; ".join(f"{name}: {one}" for name, one in found.items() if one))

# %% [markdown]
# Compare *only* with *all but*. The guilty stage hurts alone, and without it most of the harm is
# gone. The head holds the most specific knowledge: which digit goes where. That is why you replace
# it (lesson 03). The reader kept its head, because Italian has the same digits; it looked like a
# gift.
#
# Then the cures. *Lower rate*, the usual advice, changes less in as many steps: less of what is
# wrong, too.

# %% [markdown]
# The second case is the pair of pictures that lost most when fine-tuned. Its head was replaced
# anyway, so the harm lies in the backbone. The cures: *lower rate* and *shrink and perturb* as
# above, and *keep up to*: only the lower stages stay, the others are new.

# %%
other = next(source for source in anatomy.source.unique() if source != "reversed")
found, title = autopsy(other)
chart = plots.differences(found, **sides, title=title)
plots.show(chart, alt="; ".join(f"{name}: {one}" for name, one in found.items() if one))

# %% [markdown]
# Compare *only stem* with *only layer4*. Lesson 02 said that the lowest stages serve almost any
# picture. They serve what they were asked for: to tell colours, no edge is needed. *Keep the lower
# stages* is no cure where the lowest did it. Nor is the stem all of it: look at *all but stem*.
#
# A cure that only brings you back to zero is *from scratch* by another way. Is any above it?

# %% [markdown]
# ## How to notice it in your own project
#
# 1. Always train the control: from scratch, same labels, same epochs, as many rates tried.
# 2. If you freeze: also a head on a random backbone.
# 3. Five seeds or more, paired; read the interval, not the mean.
# 4. Does freezing hurt? Fine-tune before you blame the source.
# 5. Does fine-tuning hurt? New head first, then fewer source layers, then another source.
# 6. Count how many comparisons you made.

# %% [markdown]
# ## The board
#
# Choose source, target, few or many labels, and frozen or not. Each row is a seed. *Not tried*
# marks targets without runs. Can you find a case that is guilty frozen and innocent fine-tuned? One
# that is guilty both ways?

# %% tags=["nbval-ignore-output"]
negative_transfer.board()

# %% [markdown]
# ## The claims
#
# - **neg-1**: *pretraining can hurt; photographs → satellite images, for example.*
# - **neg-2**: *the less alike source and target, the less it helps*, by lesson 02's distance.
# - **neg-4**: *photographs → spectrograms maybe work, → text won't.*
# - **sim-1**: lesson 05's table: *unrelated: may hurt*.
# - **neg-3**: *photographs → X-rays*: articles disagree. **real-3**: *fine-tune on few X-rays.*

# %%
rows = accused[(accused.source == "photographs") & (accused.strategy == "fine-tuned")]
for task, both in rows.sort_values(["task", "labels"]).groupby("task"):
    said = [f"{100 * row.gain:+5.1f} points with {row.labels}" for row in both.itertuples()]
    print(f"{task:14} {', '.join(said)} labels")

# %% [markdown]
# Where does more data shrink the gain, and where was from scratch still far behind, so that it
# grew?

# %%
for claim in ("neg-1", "neg-2", "neg-3", "real-3", "neg-4", "sim-1"):
    print(lessons.settle(claim), end="\n\n")

# %% [markdown]
# ## Break it
#
# Convict an innocent. At this rate the false friends of seed 0 lose to nothing. Run it again with
# 0.004. Then compare each at the better of its own two rates: which comparison is fair?

# %% tags=["nbval-ignore-output"]
SOURCE, LABELS, RATE = "spanish_false_friends", 300, 1.5e-2

for source in (SOURCE, "nothing"):
    found = learn(begin(source, seed=0), italian.few(LABELS, seed=0), lr=RATE)
    print(f"{source}, {LABELS} numbers, rate {RATE:g}: {found:.2f}")

# %% [markdown]
# ## Exercise 1: be the judge
#
# `source` and `scratch` are arrays of accuracies, entry *i* of both from seed *i*. Return "guilty",
# "innocent" or "not proven", by the 95 % interval of the mean paired difference.
#
# <details><summary>Hint</summary>Mean of the differences, plus and minus
# <code>t.ppf(0.975, n - 1)</code> standard errors: the differences' <code>std(ddof=1)</code> over
# the root of <em>n</em>. If all are equal, the interval is a point.</details>

# %% tags=["exercise"]
from scipy.stats import t


def judge(source, scratch):
    """The verdict on ``source``, from accuracies paired by seed."""
    verdict = ""
    ### BEGIN SOLUTION
    gap, n = source - scratch, len(source)
    error = t.ppf(0.975, n - 1) * gap.std(ddof=1) / n**0.5 + 1e-12
    sides = gap.mean() + error < 0, gap.mean() - error > 0
    verdict = "guilty" if sides[0] else "innocent" if sides[1] else "not proven"
    ### END SOLUTION
    return verdict


print(negative_transfer.check_judge(judge))

# %% [markdown]
# ## Exercise 2: spare the innocent
#
# Build a reader that keeps all of reversed Spanish but its guilty stage, which is to be new. Do not
# train it: the check does, with the 300 numbers above, and tells you what it reads then.
#
# <details><summary>Hint</summary><code>surgery.transplant(donor, model, ...)</code> takes any
# number of stages; which is the donor is up to you.</details>

# %% tags=["exercise"]
spared = begin("spanish_reversed", seed=0)
# take the guilty stage away
### BEGIN SOLUTION
spared = surgery.transplant(spared, begin("nothing", seed=0), "letters", "memory")
### END SOLUTION
print(negative_transfer.check_spared(spared))

# %% [markdown]
# ## Exercise 3: do no harm
#
# You have trained both, from the source and from scratch, and know how each did on *validation*.
# Return "source" or "scratch". The check tries your rule on every stored run, the controls
# included, and then opens the test: no case may lose more than five points on average, and four
# fifths of the gains must be kept.


# %% tags=["exercise"]
def harmless(source_val, scratch_val):
    """Which network to use, from two validation accuracies in [0, 1]."""
    choice = "source"
    ### BEGIN SOLUTION
    if scratch_val > source_val:
        choice = "scratch"
    ### END SOLUTION
    return choice


print(negative_transfer.check_harmless(harmless))

# %% [markdown]
# ## Exercise 4: a score of your own
#
# Write the *nearest centroid* score: the share of inputs that lie nearer to the mean (*centroid*)
# of their own class than to that of any other, by ordinary distance. Leave each input out of its
# own centroid. Alone in its class, it counts as wrong.
#
# <details><summary>Hint</summary>Loop over the inputs. A mask of <code>True</code> with one
# <code>False</code> leaves one out.</details>


# %% tags=["exercise"]
def centroid_score(found, labels):
    """Share of inputs nearest to their own class. ``found`` (N, d), ``labels`` (N,)."""
    right = 0
    ### BEGIN SOLUTION
    for i in range(len(labels)):
        others = torch.arange(len(labels)) != i
        classes = labels[others].unique()
        means = [found[others & (labels == c)].mean(0) for c in classes]
        nearest = torch.stack([(found[i] - mean).norm() for mean in means]).argmin()
        right += int(classes[nearest] == labels[i])
    ### END SOLUTION
    return right / len(labels)


print(negative_transfer.check_centroid(centroid_score))

# %% [markdown]
# ## What you measured
#
# Harm is real, and seldom where the folklore looks for it. You convicted by interval, counted false
# alarms, looked for the guilty layers by transplanting them, and asked of each warning how often it
# would have been right. The control that finds harm is cheap: train from scratch too.

# %% [markdown]
# ## Go further
#
# - Wang and others (2019, arXiv:1811.09751) define and avoid negative transfer.
# - Raghu and others (2019, arXiv:1902.07208) ask what photographs bring to medical pictures:
#   little, they find, beyond the scale of the weights.
# - Maennel and others (2020, arXiv:2006.10455) show when random labels help, and when they hurt.
# - Ash and Adams (2020, arXiv:1910.08475) train on few pictures first, then on all of them. Such a
#   *warm start* hurts; shrink and perturb is their cure.
