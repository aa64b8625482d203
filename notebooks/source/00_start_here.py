# %% [markdown]
# # What does a pretrained network buy you in ninety seconds?
#
# You have 200 photographs of leaves, each labelled by a plant doctor, and a laptop. Can a
# network learn to tell the conditions apart?
#
# You will train the same network twice. One copy starts from random numbers. The other has
# seen everyday photographs before: dogs, buses, teapots, and not one sick leaf.
#
# **After this lesson you can** train both, compare them fairly, and say how sure you are.

# %% [markdown]
# Run a cell with **Shift + Enter**, from top to bottom. The first takes a few seconds.

# %%
import torch
from torch.nn import functional as F
from tqdm.auto import tqdm

from tl_course import evidence, models, plots, practice, surgery, tasks, train, widgets

# %% [markdown]
# ## The leaf clinic
#
# Five conditions, drawn by the course with random shapes, light, backgrounds and dirt. Look for
# what tells the rows apart: small orange spots, brown patches, white powder, a yellow-green
# patchwork, or none of these.

# %%
clinic = tasks.load("leaves")
shown = clinic.train.inputs[:60], clinic.train.labels[:60]
sheet = plots.contact_sheet(*shown, clinic.classes)
plots.show(sheet, alt="Forty leaves, one row each: healthy, rust, blight, mildew, mosaic.")

# %% [markdown]
# You get 200 of these pictures to learn from, 40 of each condition, and 200 more to make choices
# with (*validation*). The last 1,000 are the *test*: used once, at the end.

# %%
task = clinic.few(200, seed=0)
pictures, labels = task.train.inputs, task.train.labels
task

# %% [markdown]
# ## Predict first
#
# Guessing gets 20 leaves of 100 right. Both copies will see the same pictures equally often and
# take the same number of steps. How far ahead will the pretrained copy be? Choose, then
# **Commit**.

# %% tags=["nbval-ignore-output"]
CHOICES = ("behind", "0 to 5 points ahead", "5 to 20 points ahead", "over 20 points ahead")
widgets.predict("00-gain", "On 100 leaves, the pretrained copy will be …", CHOICES)

# %% [markdown]
# ## One network, two starting points
#
# `resnet10` is a small convolutional network with 1.28 million adjustable numbers, its
# *weights*. Its last layer, the *head*, gives one number for each class. The old head knew 200
# everyday things, so both copies get a new one with five outputs.


# %%
def network(pretrained):
    torch.manual_seed(0)
    model = models.load("resnet10", pretrained=pretrained)
    model.head = torch.nn.Linear(256, len(task.classes))
    return model


# %% [markdown]
# ## Training, in full
#
# One *step*: let the network answer for a few pictures, measure how wrong it is, and move every
# weight a little towards less wrong. `preprocess` scales the pixels the way the network was
# used to.


# %%
def step(model, optimizer, chosen):
    logits = model(model.preprocess(pictures[chosen]))
    loss = F.cross_entropy(logits, labels[chosen])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


# %% [markdown]
# One *epoch* shows every picture once, 32 at a time, in a new order. After each, we look at the
# validation pictures.


# %%
def learn(model, title, epochs=15):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    accuracies = []
    for _ in tqdm(range(epochs), desc=title):
        model.train()
        for chosen in torch.randperm(len(labels)).split(32):
            step(model, optimizer, chosen)
        accuracies.append(train.evaluate(model, task.val).accuracy)
    return accuracies


# %% [markdown]
# First the copy that knows nothing.

# %% tags=["nbval-ignore-output"]
scratch = network(pretrained=False)
scratch_curve = learn(scratch, "from scratch")

# %% [markdown]
# Now the same again, with the weights that have seen photographs. Training these further is
# called *fine-tuning*.

# %% tags=["nbval-ignore-output"]
tuned = network(pretrained=True)
tuned_curve = learn(tuned, "fine-tuning")

# %% tags=["nbval-ignore-output"]
curves = {"fine-tuning": tuned_curve, "from scratch": scratch_curve}
title = "Same network, same 200 pictures, another starting point"
chart = plots.learning_curves(curves, chance=0.2, title=title)
plots.show(chart, alt="Validation accuracy by epoch: fine-tuning climbs well above from scratch.")

# %% [markdown]
# Blue is the pretrained copy, orange the one from scratch, in every lesson. #
#
# The validation pictures let you watch. The test was kept aside. Here it is, once.

# %% tags=["nbval-ignore-output"]
scores = {
    "fine-tuning": train.evaluate(tuned, task.test),
    "from scratch": train.evaluate(scratch, task.test),
}
for strategy, score in scores.items():
    low, high = score.interval
    print(f"{strategy}: {score.accuracy:.0%} right (95 % interval {low:.0%} to {high:.0%})")

# %% tags=["nbval-ignore-output"]
gain = 100 * (scores["fine-tuning"].accuracy - scores["from scratch"].accuracy)
measured = CHOICES[sum(gain > edge for edge in (0, 5, 20))]
print(practice.compare("00-gain", measured))

# %% [markdown]
# ## Ask both
#
# Move the slider, or type a number. Colour marks each network's answer, bold the truth. Then show
# only where they disagree. Which mistakes would you have made?

# %% tags=["nbval-ignore-output"]
widgets.two_opinions(task, {"fine-tuning": tuned, "from scratch": scratch})

# %% [markdown]
# ## Was it luck?
#
# You saw one run: one draw of 200 pictures, one set of random numbers. The course repeated it
# with five draws, and tried three step sizes (*learning rates*) for each copy, so that neither
# was tuned harder. It did the same on other pictures: some drawn, some real.

# %%
stored = evidence.load("sweep_pictures")
print("made with:", stored.attrs["command"])
NAMES = ("leaves", "materials", "digits", "satellite", "pneumonia")
chart = plots.runs(stored, [(name, 200) for name in NAMES], title="Five runs of each")
plots.show(chart, alt="Test accuracy of every run, fine-tuning against from scratch, five tasks.")

# %% [markdown]
# Each point is one run. To compare fairly, subtract run by run (same pictures, same seed), then
# ask how far the mean would move with other seeds: that is the interval. Where it crosses zero,
# five runs cannot tell the two apart.

# %%
gains = {name: evidence.compare(stored, name, 200, "fine-tuning", "from scratch") for name in NAMES}
sides = {"gain": "pretrained better", "loss": "scratch better"}
chart = plots.differences(gains, **sides, title="What pretraining buys, with 200 labels")
plots.show(chart, alt="; ".join(f"{name}: {found}" for name, found in gains.items()))

# %% [markdown]
# Satellite scenes look nothing like everyday photographs, yet gain. Chest X-rays (*pneumonia*)
# do not show a clear gain. *Leaves* gain a lot: their spots and edges are like those of many
# other things. Lesson 08 looks for tasks where borrowing hurts.

# %% [markdown]
# ## The claim
#
# Four popular articles say: *with a small labelled set, pretrained beats from scratch*. A rule
# turns the stored runs into a verdict. Nobody types it.

# %%
verdict = evidence.settle("why-1")
print(f"why-1 {verdict.verdict}: {verdict.condition}")
print("mean over the tasks:", verdict.interval)

# %% [markdown]
# ## Break it
#
# Change one number and run again. Does the head start survive 25 labels? 1,000? Ten times the
# learning rate?

# %% tags=["nbval-ignore-output"]
LABELS, RATE = 25, 1e-3

fewer = clinic.few(LABELS, seed=1)
for strategy, known in (("fine-tuning", True), ("from scratch", False)):
    model = network(pretrained=known)
    train.fit(model, fewer, epochs=10, lr=RATE, progress=strategy)
    print(f"{strategy}, {LABELS} labels: {train.evaluate(model, fewer.test).accuracy:.2f}")

# %% [markdown]
# `train.fit` is the loop you read above, plus two things: the learning rate falls to zero, and
# the epoch that did best on validation is kept.
#
# ## The same lines, real pictures
#
# These need files that are not part of the course. Where one is missing, its cell says so and is
# left out. `tl-course prefetch` gets what can be had.


# %%
def race(name):
    if not tasks.available(name):
        print(f"{name}: left out, its file is not on this machine (see: tl-course prefetch)")
        return
    real = tasks.load(name).few(200, seed=0)
    for strategy, known in (("fine-tuning", True), ("from scratch", False)):
        torch.manual_seed(0)
        model = surgery.replace_head(models.load("resnet10", known), len(real.classes))
        train.fit(model, real, epochs=15, progress=strategy)
        score = train.evaluate(model, real.test)
        print(f"{name}, {strategy}: balanced accuracy {score.balanced_accuracy:.2f}")


# %% tags=["nbval-ignore-output"]
race("satellite")

# %% tags=["nbval-ignore-output"]
race("pneumonia")

# %% [markdown]
# *Balanced* accuracy is the mean over the classes. Most X-rays here show pneumonia, so a network
# that always says "pneumonia" would look better than it is.

# %% [markdown]
# ## Exercise: train the head alone
#
# Only the new head has to learn everything from your 200 pictures. *Freezing* the rest means:
# its weights do not move. Prepare such a network, then run the check. It tells you what your
# model shows, as often as you like.
#
# <details><summary>Hint</summary><code>surgery.freeze(model, "stem")</code> freezes one stage;
# <code>surgery.summary(model)</code> lists them all.</details>

# %% tags=["exercise"]
head_only = models.load("resnet10")
# give it a head for five conditions, then freeze every stage but the head
### BEGIN SOLUTION
surgery.replace_head(head_only, len(task.classes))
surgery.freeze(head_only, "stem", "layer1", "layer2", "layer3", "layer4")
### END SOLUTION
print(practice.check_head_only(head_only, task))

# %% [markdown]
# When the check says *Right*, train it. It is much faster: what is frozen gives the same for a
# picture every time, so it runs once. Is it as good as fine-tuning everything?

# %% tags=["nbval-ignore-output"]
if practice.check_head_only(head_only, task).startswith("Right"):
    history = train.fit(head_only, task, epochs=30, lr=1e-2, progress="head only")
    print(f"head only: {train.evaluate(head_only, task.test).accuracy:.2f}")
else:
    print("waiting for the cell above")

# %% [markdown]
# ## What you measured
#
# The same network on the same 200 pictures did far better when it had seen other photographs
# before. It held on most tasks tried, not on all, and you know how sure to be.
#
# ## How the lessons work
#
# Each opens with a question and a prediction, shows the experiment in full, breaks it, and ends
# with a verdict. `tl-course claims` lists every claim and what was found so far.

# %% [markdown]
# ## The map: learning to borrow
#
# | | question |
# |---|---|
# | 01 | Does a network that reads Spanish learn Italian faster? |
# | 02 | What does each layer know? |
# | 03 | How do you give a trained network a new job? |
# | 04 | How much of it should you freeze? |
# | 05 | How many labels, how much time does it save? |
# | 06 | 99 % in training, 65 % in the test: what happened? |

# %% [markdown]
# ## The map: when it fails, and your own project
#
# | | question |
# |---|---|
# | 07 | Do you forget Spanish? |
# | 08 | When does borrowing knowledge hurt? |
# | 09 | Same picture, same weights, wrong answer: why? |
# | 10 | What does BERT already know about your customers? |
# | 11 | Can an image network listen? Can it point? |
# | 12 | Photos to drawings without new labels? |
# | 13 | Which strategy fits your data? |
#
# Lessons appear in this folder as they are finished.
