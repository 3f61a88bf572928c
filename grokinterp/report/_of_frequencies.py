"""The figures of a task in a cyclic group, in the order of the page."""

from ._attention import attention_figure
from ._entry import LOSSES, PageFigure
from ._irreps import layers_figure
from ._keys import shown_keys
from ._logits import logit_decomposition_figure
from ._losses import progress_figure
from ._neurons import example_neuron_spectra_figure, example_neurons_figure, neuron_clusters_figure
from ._spectra import (
    embedding_circles_figure,
    embedding_spectrum_figure,
    logit_map_spectrum_figure,
    singular_values_figure,
)
from ._training import irreps_over_training_figure, weight_norms_figure

OF_FREQUENCIES: tuple[PageFigure, ...] = (
    LOSSES,
    PageFigure(
        "progress",
        "Progress measures: restricted and excluded loss",
        "Restricted loss keeps only the key frequencies of the logits: when it is below the test loss, "
        "the circuit is better than the whole network. Excluded loss removes them: when it rises, the "
        "network has come to rely on them for the training pairs too. Below, one key frequency is removed "
        "at a time.",
        progress_figure,
    ),
    PageFigure(
        "frequencies-over-training",
        "Frequencies over training",
        "Each row is a frequency, each column a checkpoint, dark is strong; triangles mark the key "
        "frequencies. Above, how long the frequency is in the embedding; below, its cosine share: "
        "the part of the logits' variance that is its cosine.",
        irreps_over_training_figure,
    ),
    PageFigure(
        "embedding-spectrum",
        "Frequencies in the embedding",
        "The embedding W_E as a sum of waves over {elements}: full bars are the cosine's norm, pale bars the "
        "sine's. A few tall pairs say that it keeps few angles of each number.",
        embedding_spectrum_figure,
    ),
    PageFigure(
        "logit-map-spectrum",
        "Frequencies in the neuron-logit map",
        "The same for W_L, which carries neurons to logits. Rows above a quarter of the largest make a "
        "frequency a key frequency (unless another rule was chosen).",
        logit_map_spectrum_figure,
    ),
    PageFigure(
        "layers",
        "What the layers hold, frequency by frequency",
        "Of the weights, the fraction of their sum of squares in each frequency; of the neurons, the fraction of their "
        "variance that is a wave in a alone, in b alone and in the answer. What the last three lack of 100 % depends "
        "on a and b together in other ways.",
        layers_figure,
    ),
    PageFigure(
        "embedding-circles",
        "The embedding in the plane of each key frequency",
        "The embedding of every number x, seen in the plane of one key frequency; colour is the angle {angle}, "
        "and a line joins neighbouring angles. If the network has learnt angles, the points form a "
        "circle in order of colour.",
        embedding_circles_figure,
        lambda report: bool(shown_keys(report)),
    ),
    PageFigure(
        "neuron-clusters",
        "Neurons by frequency",
        "How many neurons compute with a single frequency (at least 85 % of their variance), and how much "
        "the best frequency explains of every neuron. Neurons left of the dotted line belong to no "
        "cluster.",
        neuron_clusters_figure,
    ),
    PageFigure(
        "example-neurons",
        "Neurons over all inputs",
        "Activation over all inputs (a, b), from zero (pale) to the neuron's largest (dark): {neurons}. A neuron of "
        "one frequency shows a regular pattern of waves.",
        example_neurons_figure,
    ),
    PageFigure(
        "example-neuron-spectra",
        "The same neurons by frequency",
        "The two-dimensional spectrum of each pattern. A neuron of frequency k is dark at (k, 0), (0, k) "
        "and (k, k) only.",
        example_neuron_spectra_figure,
    ),
    PageFigure(
        "logit-decomposition",
        "Logits as a sum of cosines",
        "Above, the cosine share of each frequency: the part of the logits' variance that is its cosine of the "
        "answer's distance from c. "
        "Below, the mean logit by that distance d: the waves of the key frequencies all agree at d = 0, "
        "the right answer, and cancel elsewhere.",
        logit_decomposition_figure,
    ),
    PageFigure(
        "attention",
        "Attention",
        "Attention from {last} to a for all inputs, from none (pale) to all (dark). Each title names the "
        "frequency that explains most of the pattern, how much of it, and the head's mean attention to {positions}; "
        "a head is near-constant if its attention has a standard deviation below 1 % over the inputs.",
        attention_figure,
    ),
    PageFigure(
        "weight-norms",
        "Size of the weights, and how sparse their spectra are",
        "The sum of squares of each matrix: weight decay shrinks what is not needed once the network "
        "generalises. Below, the Gini coefficient of the spectra: 0 if all components are equally long, "
        "towards 1 if few carry everything.",
        weight_norms_figure,
    ),
    PageFigure(
        "singular-values",
        "How many directions the embedding uses",
        "Singular values of W_E beside those of a random matrix of the same size. Two directions per key "
        "frequency stand out if the network keeps its numbers on few circles.",
        singular_values_figure,
    ),
)
