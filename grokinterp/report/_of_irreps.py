"""The figures of a task in a group that is not cyclic, in the order of the page."""

from ._attention import attention_figure
from ._cosets import coset_neurons_figure
from ._entry import LOSSES, PageFigure
from ._irreps import (
    drawn_maps,
    embedding_rows_figure,
    layers_figure,
    logit_map_rows_figure,
    representation_map_figure,
)
from ._logits import character_decomposition_figure
from ._losses import progress_figure
from ._neurons import example_neuron_spectra_figure, example_neurons_figure, neuron_clusters_figure
from ._spectra import singular_values_figure
from ._training import irreps_over_training_figure, weight_norms_figure

OF_IRREPS: tuple[PageFigure, ...] = (
    LOSSES,
    PageFigure(
        "progress",
        "Progress measures: restricted and excluded loss",
        "Restricted loss keeps only the key irreps of the logits: when it is below the test loss, the circuit is "
        "better than the whole network. Excluded loss removes them: when it rises, the network has come to rely on "
        "them for the training pairs too. Below, one key irrep is removed at a time.",
        progress_figure,
    ),
    PageFigure(
        "irreps-over-training",
        "Irreps over training",
        "Each row is an irreducible representation of the group, each column a checkpoint, dark is strong; triangles "
        "mark the key irreps. Above, how long the irrep's part of the embedding is; below, its character "
        "share: the part of the logits' variance that is its character.",
        irreps_over_training_figure,
    ),
    PageFigure(
        "layers",
        "What the layers hold, irrep by irrep",
        "Of the weights, the fraction of their sum of squares in each irrep; of the neurons, the fraction of their "
        "variance that is a function of a alone, of b alone and of the answer. What the last three lack of 100 % "
        "depends on a and b together in other ways.",
        layers_figure,
    ),
    PageFigure(
        "embedding-rows",
        "Irreps in the embedding",
        "The embedding W_E as a sum of the functions that the entries of each irrep are: a point is the norm of one "
        "entry's part. An irrep that the network uses has all its entries well above the others.",
        embedding_rows_figure,
    ),
    PageFigure(
        "logit-map-rows",
        "Irreps in the neuron-logit map",
        "The same for W_L, which carries neurons to logits. The dotted line is a quarter of the largest, above which "
        "the rule W_L calls an irrep key.",
        logit_map_rows_figure,
    ),
    PageFigure(
        "neuron-clusters",
        "Neurons by irrep",
        "How many neurons compute with a single irrep (at least 85 % of their variance), and how much the best irrep "
        "explains of every neuron. Neurons left of the dotted line belong to no cluster.",
        neuron_clusters_figure,
    ),
    PageFigure(
        "coset-neurons",
        "Coset neurons",
        "How little a neuron's input varies within the cosets of the subgroup that suits it best. Left of the dotted "
        "line it is a coset neuron: what it sees of the element is mostly its coset. Below, whose cosets these are; "
        "conjugate subgroups count together.",
        coset_neurons_figure,
        lambda report: report.circuit.cosets is not None,
    ),
    PageFigure(
        "example-neurons",
        "Neurons over all inputs",
        "Activation over all inputs (a, b), from zero (pale) to the neuron's largest (dark): {neurons}. "
        "Elements stand in the order of the cosets that tell most of the neuron's input, right cosets down and left "
        "cosets across, so that a coset neuron shows blocks; in brackets, its coset concentration.",
        example_neurons_figure,
    ),
    PageFigure(
        "example-neuron-spectra",
        "The same neurons by irrep",
        "The two-dimensional spectrum of each pattern. A neuron of irrep ρ is dark at (ρ, trivial), (trivial, ρ) and "
        "(ρ, ρ) only. Across, the irreps stand in the order they have upwards.",
        example_neuron_spectra_figure,
    ),
    PageFigure(
        "logit-decomposition",
        "Logits as a sum of characters",
        "Above, the character share of each irrep: the part of the logits' variance that is its character at "
        "answer · c⁻¹. Below, the mean "
        "logit for every value g of answer · c⁻¹, by conjugacy class (named by an element, with how many it "
        "has): the characters of the key irreps all have their largest value at the identity, where c is the right "
        "answer.",
        character_decomposition_figure,
    ),
    PageFigure(
        "representation-map",
        "From the answer to the logits",
        "What W_L makes of the entries of ρ({answer}) in the neurons, for each key irrep ρ of dimension above 1: "
        "blue is positive, red negative. If only the diagonal is dark, and evenly so, every entry of ρ({answer}) meets "
        "its own entry of ρ(c), and the sum of these products is the character. Titles state the nearest multiple of "
        "the identity and its share of the sum of squares.",
        representation_map_figure,
        lambda report: bool(drawn_maps(report)),
    ),
    PageFigure(
        "attention",
        "Attention",
        "Attention from {last} to a for all inputs, from none (pale) to all (dark), the elements in the order of the "
        "group. Each title names the irrep that explains most of the pattern, how much of it, and the head's mean "
        "attention to {positions}; a head is near-constant if its attention has a standard deviation below 1 % over "
        "the inputs.",
        attention_figure,
    ),
    PageFigure(
        "weight-norms",
        "Size of the weights, and how sparse their spectra are",
        "The sum of squares of each matrix: weight decay shrinks what is not needed once the network generalises. "
        "Below, the Gini coefficient of the norms in the basis of the irreps: 0 if all are equally long, towards 1 if "
        "few carry everything.",
        weight_norms_figure,
    ),
    PageFigure(
        "singular-values",
        "How many directions the embedding uses",
        "Singular values of W_E beside those of a random matrix of the same size. A key irrep of dimension d can use "
        "up to d² directions.",
        singular_values_figure,
    ),
)
