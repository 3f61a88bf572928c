"""Floor 7: figures (results in, plotly's `Figure` out, never shown) and the self-contained HTML page."""

from ._attention import attention_figure as attention_figure
from ._cosets import coset_neurons_figure as coset_neurons_figure
from ._figures import PageFigure as PageFigure
from ._figures import page_figures as page_figures
from ._irreps import embedding_rows_figure as embedding_rows_figure
from ._irreps import layers_figure as layers_figure
from ._irreps import logit_map_rows_figure as logit_map_rows_figure
from ._irreps import representation_map_figure as representation_map_figure
from ._logits import character_decomposition_figure as character_decomposition_figure
from ._logits import logit_decomposition_figure as logit_decomposition_figure
from ._losses import losses_figure as losses_figure
from ._losses import progress_figure as progress_figure
from ._neurons import example_neuron_spectra_figure as example_neuron_spectra_figure
from ._neurons import example_neurons_figure as example_neurons_figure
from ._neurons import neuron_clusters_figure as neuron_clusters_figure
from ._page import render_page as render_page
from ._spectra import embedding_circles_figure as embedding_circles_figure
from ._spectra import embedding_spectrum_figure as embedding_spectrum_figure
from ._spectra import logit_map_spectrum_figure as logit_map_spectrum_figure
from ._spectra import singular_values_figure as singular_values_figure
from ._training import irreps_over_training_figure as irreps_over_training_figure
from ._training import weight_norms_figure as weight_norms_figure
from ._write import ReportPaths as ReportPaths
from ._write import write_report as write_report
