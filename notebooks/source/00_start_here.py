# %% [markdown]
# # What does a pretrained network buy you in ninety seconds?
#
# Show a network two things, and it tells them apart a few seconds later. Show the same things to
# the same network before it has seen anything else, and it mostly guesses. You will see both, find
# out why, and then train both yourself.
#
# **After this lesson you can** train a network from two starting points, compare them fairly, and
# say how sure you are.

# %% [markdown]
# Run a cell with **Shift + Enter**, from top to bottom.

# %%
import torch
from torch.nn import functional as F
from tqdm.auto import tqdm

from tl_course import evidence, lessons, models, plots, practice, surgery, tasks, train
from tl_course.lessons import start_here

# %% [markdown]
# ## Teach it your things
#
# *Start camera*, hold one button while you show a mug, the other while you show your hand, and turn
# them as you do. No camera? *Upload* pictures, or take what the next cell learned already: drawn
# pieces of cloth and wood. *Show a new one* asks about one that it has never seen. Nothing leaves
# this machine.

# %% tags=["nbval-ignore-output"]
teach = practice.Teach(models.load("lite0"), classes=("mug", "hand"))
teach.use_drawn()
teach.show_new()
teach

# %% [markdown]
# Two dozen pictures were enough. Are they that easy? The same network, with random numbers where
# the other has knowledge, gets the same pictures and up to 20 seconds. (The button does the same.)

# %% tags=["nbval-ignore-output"]
print(teach.train_scratch())
for _ in range(4):
    print(teach.show_new())

# %% [markdown]
# ## Why does that work?
#
# The first network had learned another job: to name 1,000 kinds of things in 1.3 million
# photographs. That is *pretraining*; using it for your things is *transfer learning*. Only its last
# layer was learned from your pictures. The second one had to find out from them alone what an edge,
# a fold or a colour is.
#
# Now do it by hand, with more pictures and a fair test.

# %% [markdown]
# ## Nine surfaces
#
# Close-up photographs of surfaces, which the course draws itself: colour, light and distance are
# random, so that only texture gives it away. Nothing is downloaded.

# %%
surfaces = tasks.load("materials")
shown = surfaces.train.inputs[:200], surfaces.train.labels[:200]
sheet = plots.contact_sheet(*shown, surfaces.classes, columns=12, zoom=0.9)
plots.show(sheet, alt="Twelve pictures of each of nine surfaces, from bricks to wood.")

# %% [markdown]
# You get 200 pictures to learn from. A network can memorise those, so it is judged on others: 200
# to watch and choose by (*validation*), and 800 that are looked at once, at the end (*test*).

# %%
task = surfaces.few(200, seed=0)
pictures, labels = task.train.inputs, task.train.labels
task

# %% [markdown]
# ## Predict first
#
# Guessing gets 11 of 100 pictures right. A pretrained copy and one with random numbers will see the
# same pictures, equally often. Of 100 test pictures, how many more will the pretrained copy get
# right? Choose, then **Commit**.

# %% tags=["nbval-ignore-output"]
CHOICES = ("no more, or fewer", "up to 10 more", "11 to 30 more", "over 30 more")
practice.predict("00-gain", "Of 100 pictures, the pretrained copy will get right …", CHOICES)

# %% [markdown]
# ## One network, two starting points
#
# `resnet10` is another, smaller network: 1.2 million adjustable numbers, its *weights*. Its
# last layer, the *head*, gives one number for each class. In pretraining there were 200 classes:

# %%
classes = models.load("resnet10").classes
print(len(classes), "classes, such as", ", ".join(classes[::33]))

# %% [markdown]
# None is a surface, though photographs of things are full of them. Both copies get a new head with
# nine outputs. The rest is either pretrained or random.


# %%
def network(pretrained):
    torch.manual_seed(0)  # the same random head each time
    model = models.load("resnet10", pretrained=pretrained)
    model.head = torch.nn.Linear(256, len(task.classes))  # 256 numbers in, one a class out
    return model


# %% [markdown]
# ## Training, in full
#
# One *step* looks at a few pictures. `preprocess` scales their pixels as in pretraining. `logits`
# are the network's nine numbers for each; `loss` says how wrong they are. `zero_grad` forgets the
# last step, `backward` finds in which direction each weight makes the loss smaller, and
# `optimizer.step` moves the weights a little that way.


# %%
def step(model, optimizer, chosen):
    logits = model(model.preprocess(pictures[chosen]))
    loss = F.cross_entropy(logits, labels[chosen])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


# %% [markdown]
# One *epoch* shows every picture once, 32 at a time, in a new order. `AdamW` is the usual rule for
# moving weights; `lr`, the *learning rate*, says how far, here less and less. `model.train()`
# switches from answering to learning. After each epoch we look at the validation pictures.


# %%
def learn(model, title, epochs=15):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    accuracies = []
    for _ in tqdm(range(epochs), desc=title):
        model.train()
        for chosen in torch.randperm(len(labels)).split(32):
            step(model, optimizer, chosen)
        slower.step()
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
title = "Same network, same 200 pictures, a different starting point"
chart = plots.learning_curves(curves, chance=1 / 9, title=title)
plots.show(chart, alt="Validation accuracy by epoch: fine-tuning climbs well above from scratch.")

# %% [markdown]
# Compare the first epoch, then the last. Blue is the pretrained copy.
#
# Validation let you watch. The test was kept aside; here it is. The interval says how far chance
# in picking 800 test pictures could have moved the share.

# %% tags=["nbval-ignore-output"]
scores = {
    "fine-tuning": train.evaluate(tuned, task.test),
    "from scratch": train.evaluate(scratch, task.test),
}
for strategy, score in scores.items():
    low, high = score.interval
    print(f"{strategy}: {score.accuracy:.0%} right (95 % interval {low:.0%} to {high:.0%})")

# %% tags=["nbval-ignore-output"]
# the choice that the gain falls into
gain = 100 * (scores["fine-tuning"].accuracy - scores["from scratch"].accuracy)
measured = CHOICES[sum(round(gain) > edge for edge in (0, 10, 30))]
print(f"{gain:.0f} more of 100")
print(practice.compare("00-gain", measured))

# %% [markdown]
# ## Ask both
#
# Here are test pictures on which the two disagree. Move the slider or type a number. Bars are
# probabilities; colour marks a network's answer, bold the truth. Then set *show* to *all pictures*.
# We choose nothing by them: once a test has helped to choose, it is no longer a test.

# %% tags=["nbval-ignore-output"]
start_here.two_opinions(task, {"fine-tuning": tuned, "from scratch": scratch})

# %% [markdown]
# Is either sure of itself when it is wrong? Both are, now and then. A network can be far surer than
# it is right; lesson 06 measures that.

# %% [markdown]
# ## Was it luck?
#
# You saw one run: one draw of 200 pictures, fixed by one *seed*, the number that starts the random
# choices. The course made longer runs (30 epochs) with five seeds. Each copy was tried with three
# learning rates; the best on validation was tested. It did so for these *materials* and for four
# other tasks: drawn *leaves* of five conditions, handwritten *digits*, *satellite* scenes and chest
# X-rays (*pneumonia*), the last three real.

# %% [markdown]
# Most of the X-rays show pneumonia: a network that always says so would look good. So the stored
# runs use *balanced* accuracy: the share answered right of each class, then the mean over classes.

# %%
stored = evidence.load("sweep_pictures")
print("made with:", stored.attrs["command"])
NAMES = ("materials", "leaves", "digits", "satellite", "pneumonia")
chart = plots.runs(stored, [(name, 200) for name in NAMES], title="Five runs of each")
plots.show(chart, alt="Test accuracy of every run, fine-tuning against from scratch, five tasks.")

# %% [markdown]
# Each point is one run. Where blue and orange do not overlap, the starting point matters more
# than luck.
#
# Where they do, some draws may be easier for both copies. So subtract run by run, with the same
# draw, and take the mean. Its 95 % interval says how far it might move with other draws; where it
# crosses zero, five runs cannot tell the two apart.

# %%
runs = evidence.Runs(stored)
gains = {n: runs.compare("fine-tuning", "from scratch", task=n, labels=200) for n in NAMES}
sides = {"gain": "pretrained better", "loss": "scratch better"}
chart = plots.differences(gains, **sides, title="What pretraining buys, with 200 labels")
plots.show(chart, alt="; ".join(f"{name}: {found}" for name, found in gains.items()))

# %% [markdown]
# Tasks gain differently. On digits the copy from scratch is already nearly perfect, so little is
# left to gain. Satellite scenes gain, though nobody holds a camera up there. For X-rays five runs
# cannot tell. Lesson 08 looks for tasks where borrowing hurts.

# %% [markdown]
# ## The claim
#
# Four popular articles say: *with a small labelled set, pretrained beats from scratch*. This is
# claim **why-1**. For each task and number of labels, stored runs say that it *helps*, *hurts*,
# makes no difference (the *same*, within two points), or that they *cannot tell*. With many
# comparisons some would differ by luck, so the intervals are wider.

# %%
print(lessons.settle("why-1"))

# %% [markdown]
# It *holds* if every row says so, *holds when* the task is one of those if some do, *does not hold*
# if none does and half speak against it. The mean is over tasks, and its interval speaks of other
# tasks like these. The runs are those of lesson 04, with one task more; where from scratch had not
# yet learned its training pictures, more epochs may narrow the gap.

# %% [markdown]
# ## Break it
#
# `train.fit` is the loop you read above, and keeps the epoch that did best on validation. Fewer
# labels get more epochs. Change a number and run again. Does the lead survive 25 labels? 1,000? A
# learning rate ten times as high? From here on the test is for play: choose nothing by it.

# %% tags=["nbval-ignore-output"]
LABELS, RATE = 25, 1e-3

fewer = surfaces.few(LABELS, seed=1)
for strategy, known in (("fine-tuning", True), ("from scratch", False)):
    model = network(pretrained=known)
    train.fit(model, fewer, epochs=max(6, 1500 // LABELS), lr=RATE, progress=strategy)
    print(f"{strategy}, {LABELS} labels: {train.evaluate(model, fewer.test).accuracy:.2f}")

# %% [markdown]
# ## Real pictures
#
# The same two starting points on satellite scenes and X-rays, which need files that are not part
# of the course. Where one is missing, the cell says so and is left out; `tl-course prefetch`, in
# a terminal, gets what can be had. `surgery.replace_head` puts in the new head.


# %%
def race(name):
    if not tasks.available(name):
        print(f"{name}: left out, its file is not on this machine")
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
# ## Exercise: train the head alone
#
# You can also *freeze* the pretrained part, so that its weights do not move and only the new head
# learns. Prepare such a network, then run the check. It says what your model shows, as often as
# you like.
#
# <details><summary>Hint</summary><code>surgery.freeze(head_only, "stem")</code> freezes one stage;
# <code>surgery.summary(head_only)</code> lists them all.</details>

# %% tags=["exercise"]
head_only = models.load("resnet10")
# give it a head for nine surfaces, then freeze every stage but the head
### BEGIN SOLUTION
surgery.replace_head(head_only, len(task.classes))
surgery.freeze(head_only, "stem", "layer1", "layer2", "layer3", "layer4")
### END SOLUTION
print(start_here.check_head_only(head_only, task))

# %% [markdown]
# When the check says *Right*, train it. What is frozen gives the same for a picture in every
# epoch, so it runs only once, and training takes seconds. A head alone can take larger steps and
# more epochs. Is it as good as fine-tuning everything?

# %% tags=["nbval-ignore-output"]
if start_here.check_head_only(head_only, task).startswith("Right"):
    history = train.fit(head_only, task, epochs=30, lr=1e-2, progress="head only")
    accuracy = train.evaluate(head_only, task.test).accuracy
    print(f"head only: {accuracy:.2f} after {history.seconds:.1f} seconds of training")
else:
    print("waiting for the cell above")

# %% [markdown]
# ## What you measured
#
# One network, the same pictures, two starting points: you saw the difference, how far luck could
# move it, and where it was not found.
#
# Every lesson goes like this one: a question and a prediction, the experiment in full, ways to
# break it, exercises with checks, a verdict. In a terminal, `tl-course claims` lists every claim
# and what was found so far. Solved exercises are in the folder `solutions`.

# %% [markdown]
# ## The map: learning to borrow
#
# | | question |
# |---|---|
# | 01 | Does a network that reads Spanish learn Italian faster? |
# | 02 | What does each layer know? |
# | 03 | How do you give a trained network a new job? |
# | 04 | How much of it should you freeze? |
# | 05 | How many labels and how much time does it save? |
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
# | 13 | Which strategy fits your data, and does it work on your photos? |
#
# Lessons appear in this folder as they are finished.
