# %% [markdown]
# # Does a network that reads Spanish learn Italian faster?
#
# *If you speak Spanish, Italian is easy*: so most articles explain transfer learning. It sounds
# right. Here you test it, with real languages and networks that learn in a second.
#
# **After this lesson you can** measure what a network carries from one language to the next, take
# it away piece by piece, and say where the comparison with people ends.

# %%
import torch

from tl_course import evidence, models, plots, practice, surgery, tasks, train, widgets
from tl_course.tasks import number_words

# %% [markdown]
# ## A small job in many languages
#
# The job: read a number in words, letter by letter, and say which number it is. Every language
# has words for the numbers from 0 to 9,999, and the library `num2words` knows them.

# %%
for language in ("spanish", "italian", "french", "german", "finnish"):
    print(f"{language:8} {number_words.spell(language)[472]}")

# %% [markdown]
# Some of these look alike. *Cognates* are words of one origin, such as *setenta* and *settanta*.
#
# Of the 10,000 numbers, 7,000 are for learning, 1,000 for choosing (validation), 2,000 for the
# test. They are the same in every language: a number in the Italian test was not read in Spanish
# either.

# %%
italian, spanish = tasks.load("numbers_italian"), tasks.load("numbers_spanish")
print(italian)
print("first label:", italian.train.labels[0].tolist(), "thousands, hundreds, tens, units")

# %% [markdown]
# ## How a network reads
#
# A computer has letters as numbers already, their code points. The reader looks up the place of
# each in its alphabet, and for each place a vector of 48 numbers, which it learns.

# %%
reader = models.load("reader_spanish")
letters = reader.preprocess(number_words.codes(["veintidós"]))
vectors = reader.letters(letters)
print(letters.tolist(), tuple(vectors.shape))

# %% [markdown]
# Two *LSTMs* go through the vectors, one from each end. Such a network keeps a state of 64 numbers
# and changes it at every letter. What both hold in the end goes into the head: ten logits for each
# of four digits. The largest is the answer.

# %%
there, _ = reader.memory.there(vectors)  # first letter to last
back, _ = reader.memory.back(vectors.flip(1))  # last letter to first
ends = torch.cat([there[:, -1], back[:, -1]], dim=1)
logits = reader.head(ends).view(4, 10)
print("digits:", logits.argmax(1).tolist())
print("the same as reader(letters):", torch.allclose(logits, reader(letters)[0], atol=1e-5))

# %% [markdown]
# This reader learned from 7,000 Spanish numbers. Below is what it would answer after each letter.
# The darker, the surer. It changes its mind until the word is complete.

# %% tags=["nbval-ignore-output"]
text = "dos mil veintidós"
steps = {"Spanish reader": widgets.letter_by_letter(reader, text)}
chart = plots.reading(text, steps, {"Spanish reader": "pretrained"})
plots.show(chart, alt="Digits the Spanish reader would answer after each letter, ending in 2022.")

# %% [markdown]
# An answer counts only if all four digits are right. New Spanish numbers, then Italian, of which
# it never saw a word:

# %% tags=["nbval-ignore-output"]
print(f"Spanish: {train.evaluate(reader, spanish.test).accuracy:.1%} of 2,000 right")
print(f"Italian: {train.evaluate(reader, italian.test).accuracy:.1%} of 2,000 right")

# %% [markdown]
# ## Predict first
#
# Now each reader gets a lesson: 30 Italian numbers. One speaks Spanish, others French, German or
# Finnish, one knows nothing. Which reads new Italian numbers best afterwards? Put them in order,
# then **Commit**.

# %% tags=["nbval-ignore-output"]
STARTS = ("Spanish", "French", "German", "Finnish", "nothing")
widgets.rank("01-order", "After 30 Italian numbers, who reads best?", STARTS)

# %% [markdown]
# ## Thirty Italian numbers
#
# `train.fit` is the loop of lesson 00: many small steps downhill, keeping the epoch that is best on
# validation. A random network needs larger steps than a trained one, so each gets the learning
# rate that suits it.

# %% tags=["nbval-ignore-output"]
task = italian.few(30, seed=0)
tuned = models.load("reader_spanish")
torch.manual_seed(0)
blank = models.load("reader_spanish", pretrained=False)
histories = {
    "fine-tuning": train.fit(tuned, task, epochs=120, lr=1e-3, progress="from Spanish"),
    "from scratch": train.fit(blank, task, epochs=120, lr=4e-3, progress="from nothing"),
}

# %% tags=["nbval-ignore-output"]
chart = plots.learning_curves(
    histories, title="Thirty Italian numbers: from Spanish, from nothing", xlabel="epoch"
)
plots.show(chart, alt="Validation accuracy by epoch: from Spanish far above from nothing.")

# %% [markdown]
# Blue began with Spanish, orange with random weights. Ten numbers of the test, as each reads them:

# %% tags=["nbval-ignore-output"]
truths, inputs = italian.test.labels[:10], italian.test.inputs[:10]
answers = [train.predict(model, inputs).argmax(-1) for model in (tuned, blank)]
print("   truth | from Spanish | from nothing")
for digits in zip(truths, *answers, strict=True):
    number, *said = (int("".join(map(str, d.tolist()))) for d in digits)
    print(f"{number:8,} |" + " |".join(f"{s:9,} {'✓' if s == number else ' '} " for s in said))

# %% [markdown]
# Look at the wrong answers from Spanish. How many digits of them are right?

# %% [markdown]
# ## Was it luck?
#
# The course made this run for every language, with 10 to 1,000 Italian numbers and ten seeds. Each
# seed trained its own source reader, drew its own Italian numbers, and tried the same three
# learning rates. The best on validation was tested.

# %%
stored = evidence.load("sweep_analogy")
shown = {"spanish": "related language", "finnish": "other language", "nothing": "nothing"}
shown["nothing, four times as long"] = "nothing"
title = "Reading Italian, by number of Italian examples"
chart = plots.label_curves(stored, "numbers_italian", shown, title=title)
plots.show(
    chart, alt="Accuracy by labels: Spanish rises first, then the others; all meet at 1,000."
)

# %% [markdown]
# Bands are 95 % intervals of the mean over ten runs. *Nothing* had as many steps as the others;
# the dashed line had four times as many. Time helps it, but with few examples it does not replace
# Spanish.

# %%
gains = {
    source: evidence.compare(stored, "numbers_italian", 30, source, "nothing")
    for source in models.SOURCES
}
languages = {name: found for name, found in gains.items() if "_" not in name}
for name, found in languages.items():
    print(f"{name:11} {found}")

# %% tags=["nbval-ignore-output"]
measured = {"nothing": evidence.Interval(0, 0, 0, 10)}
measured |= {name: languages[name.lower()] for name in STARTS if name != "nothing"}
print(practice.compare_rank("01-order", practice.rank(measured)))

# %%
by_gain = sorted(languages.items(), key=lambda item: -item[1].effect)
ordered = {name.capitalize(): found for name, found in by_gain}
sides = {"gain": "helps", "loss": "hurts"}
chart = plots.differences(ordered, **sides, title="30 Italian numbers: source minus nothing")
plots.show(chart, alt="; ".join(f"{name}: {found}" for name, found in ordered.items()))

# %% [markdown]
# Languages that grew out of Latin help most, Romanian least of them. The others, which share
# hardly a word with Italian, help little at 30 examples; where a line touches zero, ten runs cannot
# tell.

# %% [markdown]
# ## Take Spanish apart
#
# Which part of Spanish helps? The articles name four: cognates, grammar, alphabet, roots. With
# people you cannot take one away and leave the rest. Here are four languages in which it was done.

# %%
LOST = {
    "spanish": "nothing yet",
    "spanish_false_friends": "cognates: the words stay, digits trade meanings",
    "spanish_reversed": "grammar: words in the opposite order",
    "spanish_enciphered": "alphabet: each letter moved eleven places on",
    "spanish_invented": "roots: invented stems, Spanish endings",
}
for name, what in LOST.items():
    print(f"{what:48} 472 = {number_words.spell(name)[472]}")

# %% [markdown]
# Each is as regular as Spanish, and a reader learns each as well. What is missing is only what it
# shares with Italian. So the difference in Italian says what that part was worth.

# %%
worth = {
    what.split(":")[0]: evidence.compare(stored, "numbers_italian", 30, "spanish", name)
    for name, what in LOST.items()
    if name != "spanish"
}
sides = {"gain": "worth having", "loss": "better without"}
chart = plots.differences(worth, **sides, title="What each part of Spanish was worth (30 numbers)")
plots.show(chart, alt="; ".join(f"{name}: {found}" for name, found in worth.items()))

# %% [markdown]
# Do not add them up. Take away one part, and the others have less to hold on to: a cognate whose
# letters are enciphered is none any more.

# %%
for name in LOST:
    few, many = (
        evidence.compare(stored, "numbers_italian", n, name, "nothing") for n in (100, 300)
    )
    print(f"{name:21} minus nothing, 100: {few}; 300: {many}")

# %% [markdown]
# With more examples the question turns round: does a source that misleads do harm? An interval
# left of zero says so. Read the line of the false friends: words that look Italian and mean
# something else.

# %% [markdown]
# ## Can likeness be measured without a network?
#
# Count how many letters must be put in, taken out or replaced to make one word of another
# (Levenshtein's *edit distance*, 1966), and divide by the length.


# %%
def distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (x != y))
    return row[-1] / max(len(a), len(b))


for name in ("spanish", "german", "spanish_enciphered"):
    print(name, round(distance(number_words.spell(name)[472], "quattrocentosettantadue"), 2))

# %% [markdown]
# `number_words.similarity` is one minus the mean distance over 118 numbers. No network is asked.
# Does it foresee the gain?

# %%
likeness = {name: number_words.similarity(name, "italian") for name in models.SOURCES}
latin = ("spanish", "portuguese", "catalan", "french", "romanian")
kinds = {name: "made on purpose" if "_" in name else "other language" for name in likeness}
kinds |= dict.fromkeys(latin, "related language")
points = {name: (likeness[name], gains[name]) for name in likeness}
names = "likeness to Italian, without a network", "gain over nothing (points, 30 numbers)"
chart = plots.scatter(points, kinds, *names, title="The more alike, the more it helps")
plots.show(chart, alt="; ".join(f"{n}: {x:.2f}, {g.effect:+.2f}" for n, (x, g) in points.items()))

# %%
from scipy.stats import pearsonr

real = [name for name in likeness if kinds[name] != "made on purpose"]
found = pearsonr([likeness[n] for n in real], [gains[n].effect for n in real])
low, high = found.confidence_interval()
print(f"{len(real)} languages: correlation {found.statistic:.2f} [{low:.2f}, {high:.2f}]")

# %% [markdown]
# Dark blue are the daughters of Latin, light blue the other languages, pink those made on purpose.
# The correlation counts the real ones only. Ten languages are few, hence the wide interval. And a
# letter count is blind to some things: which pink point lies far from where its likeness would put
# it?

# %% [markdown]
# ## Teach it Italian
#
# Your turn. Choose what the reader knows and how many Italian numbers it sees, then press the
# button: two networks learn while you watch. Type any Italian number below 10,000 and press
# *Enter*. Try a number with *sette* in it, then a word that is no number.

# %% tags=["nbval-ignore-output"]
widgets.teach_italian("spanish", labels=100)

# %% [markdown]
# These networks train for half as long as those in the stored runs, so that you need not wait. Set
# the source to *false friends* and look at the digits: right places, wrong meanings?

# %% [markdown]
# ## Where the comparison ends
#
# - You would break the cipher in an evening. The network cannot even see that it is one: to it,
#   letters have no shape and no order, only places in a list.
# - It needed 7,000 numbers to learn Spanish. A child needs about forty words and a rule.
# - You can say *I don't know*. It answers to everything, also to *gatto*.
# - You keep your Spanish. Does it? Lesson 07.

# %% [markdown]
# ## The claims
#
# **analogy-1**: *someone who speaks Spanish learns Italian faster than from zero; a network does
# too.* It holds if Spanish is ahead of nothing, also of nothing trained four times as long, at
# every number of labels.
#
# **analogy-2**: *what carries over is shared vocabulary, grammar, alphabet, roots.* It holds if
# each of the four was worth something at 30 labels.

# %%
for claim in ("analogy-1", "analogy-2"):
    verdict = evidence.settle(claim)
    print(f"{claim} {verdict.verdict}: {verdict.condition}\n    {verdict.interval}")

# %% [markdown]
# ## Break it
#
# Change the source, the number of examples or the rate, and run again. Is there a source that is
# worse than nothing? What if Spanish may not change, and only the letters are trained
# (`surgery.freeze(model, "memory", "head")`, with a rate of 0.1)?

# %% tags=["nbval-ignore-output"]
SOURCE, LABELS, RATE = "spanish_reversed", 100, 4e-3

model = models.load(f"reader_{SOURCE}")
train.fit(model, italian.few(LABELS, seed=1), epochs=30, lr=RATE, progress=SOURCE)
print(f"{SOURCE}, {LABELS} numbers: {train.evaluate(model, italian.test).accuracy:.2f}")

# %% [markdown]
# ## Exercise 1: a language of your own
#
# Write a function that puts a number into words: a language the course does not have, your family's
# secret, or one you invent. `num2words(number, lang="eo")` is Esperanto; `sv`, `pl` and `id` are
# there too. The check says whether it can be learnt.

# %% tags=["exercise"]
from num2words import num2words


def my_words(number):
    # return the number in words of your language
    ### BEGIN SOLUTION
    return num2words(number, lang="eo")
    ### END SOLUTION


print(practice.check_language(my_words))

# %% [markdown]
# When the check says *Right*, this trains a reader of your language, then teaches it 30 Italian
# numbers. Guess first, from the likeness.

# %% tags=["nbval-ignore-output"]
if practice.check_language(my_words).startswith("Right"):
    torch.manual_seed(0)
    mine = models.load("reader_spanish", pretrained=False)
    train.fit(mine, number_words.make("yours", my_words), epochs=5, lr=5e-3, batch=128)
    train.fit(mine, italian.few(30, seed=0), epochs=120, lr=1e-3, progress="Italian")
    print(f"from your language: {train.evaluate(mine, italian.test).accuracy:.2f}")
else:
    print("waiting for the cell above")

# %% [markdown]
# ## Exercise 2: a source that hurts
#
# Invent a language from which a reader learns Italian *worse* than from nothing. The check trains
# it five times on 300 Italian numbers, beside the stored runs from nothing.
#
# <details><summary>Hint</summary>What must it believe to be always wrong about Italian? Use Italian
# words, <code>number_words.spell("italian")</code>, and let the places of the digits
# lie.</details>


# %% tags=["exercise"]
def misleading(number):
    # return words that will mislead
    ### BEGIN SOLUTION
    backwards = int(f"{number:04d}"[::-1])
    return number_words.spell("italian")[backwards]
    ### END SOLUTION


print(practice.check_language(misleading))

# %% tags=["nbval-ignore-output"]
if practice.check_language(misleading).startswith("Right"):
    torch.manual_seed(0)
    liar = models.load("reader_spanish", pretrained=False)
    train.fit(liar, number_words.make("liar", misleading), epochs=5, lr=5e-3, batch=128)
    print(practice.check_hurts(liar, misleading))
else:
    print("waiting for the cell above")

# %% [markdown]
# ## Exercise 3: break the cipher
#
# The enciphered reader knows Spanish, in other letters. Show it 100 plain Spanish numbers, and let
# it change nothing but its letters.
#
# <details><summary>Hint</summary>Freeze <code>"memory"</code> and <code>"head"</code>. A vector of
# 48 numbers has a long way to go: rates up to 0.1 are fine.</details>

# %% tags=["exercise"]
decoder = models.load("reader_spanish_enciphered")
plain = spanish.few(100, seed=0)
# freeze all but the letters, then train on plain
### BEGIN SOLUTION
surgery.freeze(decoder, "memory", "head")
train.fit(decoder, plain, epochs=30, lr=0.1, progress=False)
### END SOLUTION
print(practice.check_cipher(decoder))

# %% [markdown]
# ## What you measured
#
# Spanish was worth far more than its own words: order, letters and stems each had a price, and
# their likeness to Italian could be counted beforehand. What a network keeps is not "a language"
# but habits; they help where the new job shares them.
#
# Lesson 07 asks what happens to Spanish meanwhile.
