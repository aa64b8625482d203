"""What four well-known articles say about transfer learning, in the course's words."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """One sentence of the folklore. ``documents``: which of the four articles (A to D) say it."""

    id: str
    text: str
    documents: str


CLAIMS = (
    Claim(
        "analogy-1",
        "Someone who speaks Spanish learns Italian faster than from zero; a network does too",
        "C D",
    ),
    Claim(
        "analogy-2",
        "What carries over is shared vocabulary (cognates), grammar, alphabet, roots: each can be taken away",
        "D",
    ),
    Claim(
        "analogy-3", "'You don't forget Spanish': the old skill survives learning the new one", "D"
    ),
    Claim(
        "why-1",
        "With a small labelled set, pretrained beats from scratch (1,000 images: poor against great)",
        "A B C D",
    ),
    Claim("why-2", "It needs a fraction of the labels for the same accuracy", "B C D"),
    Claim("why-3", "It needs fewer epochs and less time to converge", "A B C"),
    Claim(
        "why-4",
        "Computing the source model is expensive once (millions of examples, weeks); adapting is cheap",
        "A C D",
    ),
    Claim("why-5", "With abundant labels the advantage shrinks; from scratch can catch up", "D"),
    Claim(
        "layer-1",
        "Layer 1 knows edges and lines, layer 2 corners and textures, layer 3 parts, layer 4 objects",
        "A C D",
    ),
    Claim(
        "layer-2", "Early layers barely change during fine-tuning, late layers change most", "A B"
    ),
    Claim("layer-3", "Early features help almost any image task", "A D"),
    Claim(
        "layer-4", "Language models hold grammar, word meaning, context, some world knowledge", "D"
    ),
    Claim(
        "head-1",
        "The task-specific output layer is removed and a new one for your classes is put in (1000 → 2)",
        "A C D",
    ),
    Claim(
        "head-2",
        "Training only the new head on stored feature vectors (bottleneck features) is enough for a small, similar set",
        "A C D",
    ),
    Claim("head-3", "The same recipe works for BERT-like text models (sentiment)", "A D"),
    Claim("freeze-1", "Feature extraction is fast and works with hundreds of examples", "C D"),
    Claim("freeze-2", "Partial fine-tuning is more accurate but wants thousands", "C D"),
    Claim(
        "freeze-3", "Full fine-tuning is often best with lots of data and overfits with little", "D"
    ),
    Claim(
        "freeze-4",
        "Freezing too much cannot adapt; freezing too little overfits; there is a sweet spot to find by experiment",
        "C D",
    ),
    Claim(
        "freeze-5",
        "Start with feature extraction; fine-tune only when it has stopped improving",
        "C",
    ),
    Claim("freeze-6", "Freezing layers protects small sets from overfitting", "A C D"),
    Claim("rate-1", "Fine-tuning needs a very low learning rate", "C"),
    Claim(
        "rate-2", "A high learning rate causes catastrophic forgetting of the source knowledge", "C"
    ),
    Claim("fit-1", "Overfitting on a tiny set looks like 99 % train / 65 % test", "D"),
    Claim("fit-2", "The cure is to freeze more layers and train less", "D"),
    Claim(
        "neg-1",
        "Negative transfer: pretraining can hurt (photos → satellite images; random initialisation may be better)",
        "D",
    ),
    Claim(
        "neg-2", "Dissimilar source and target: the benefit fades (image model on audio)", "A B D"
    ),
    Claim(
        "neg-3",
        "Photos → X-rays: B and D say it works well (a few hundred X-rays suffice for pneumonia), C says it may not",
        "B C D",
    ),
    Claim(
        "neg-4", "Photos → audio spectrograms: 'maybe works'; photos → text: 'won't work'", "A D"
    ),
    Claim(
        "sim-1",
        "The five-row table: limited data, similar domain, different domain, abundant data, unrelated domain",
        "D",
    ),
    Claim(
        "prep-1",
        "Inputs must be preprocessed exactly as in pretraining (sizes, scaling, normalisation) or accuracy drops",
        "C",
    ),
    Claim("data-1", "Sometimes 100 examples are enough; 1,000 or more is a usual aim", "D"),
    Claim("real-1", "Sentiment: a BERT fine-tuned on labelled customer reviews", "A D"),
    Claim(
        "real-2",
        "Custom object detection: a YOLO pretrained on COCO, fine-tuned on about 500 pictures of your products",
        "D",
    ),
    Claim("real-3", "Medical images: fine-tune on a small X-ray set", "B D"),
    Claim("da-1", "Domain adaptation handles an explicit shift (photos → drawings)", "D"),
    Claim(
        "zoo-1",
        "Models to start from: ResNet, VGG, EfficientNet, ViT · BERT, GPT, RoBERTa, T5 · Whisper, Wav2Vec · YOLO",
        "A C D",
    ),
    Claim(
        "terms-1",
        "Terms: fine-tuning, CNN, Adam, classification, clustering, gradient descent; feature extraction, backbone, head, bottleneck features, catastrophic forgetting, negative transfer, domain adaptation",
        "A B C D",
    ),
    Claim(
        "faq-1",
        "The questions people ask: should I freeze? which models? any problem? usually a good choice? how much data?",
        "B D",
    ),
)
