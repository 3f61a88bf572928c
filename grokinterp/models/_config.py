"""What a network is made of."""

import math
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from grokinterp.config import Config


class ModelConfig(Config):
    """A transformer that reads [a, b, =] and answers at the last position, `=`. Defaults: Nanda et al. 2023.

    **Arguments:**

    - `architecture`: `transformer`, or `mlp`, a network without attention, see `hooked_mlp`; `n_layers` are its hidden
      layers, `d_model` the width of its embeddings, and `mlp_inputs` says whether it reads their `sum` or
      `concatenation`. It has no heads, no positions and no normalization.
    - `n_layers`, `n_heads`, `d_model`, `d_head`, `d_mlp`: sizes; `d_head` is `d_model` / `n_heads`, rounded down,
      unless all three are given.
    - `act_fn`: the MLP's activation, see `ACTIVATIONS`.
    - `attention`: `causal`, or `bidirectional`, which in more than one layer lets a see b.
    - `attn_scale`: what attention scores are divided by; None: √d_head; 1: TransformerLens' ``use_attn_scale=False``.
    - `attention_rate`: α of Zhong et al. 2023 (arXiv 2306.17844): the pattern is α·softmax + (1 − α) everywhere, so 1
      is ordinary attention and 0 constant attention, whose rows are all ones.
    - `parallel_attn_mlp`: attention and MLP read the same residual stream, and both outputs are added to it.
    - `normalization`, `eps`: before attention, MLP and unembedding `LN` (LayerNorm), `RMS`, the same without their
      weights, as where those were folded into others (`LNPre`, `RMSPre`), or `none`; eps is the number under its root.
    - `outputs`: `vocabulary` gives every token a logit, `=` too (p + 1 outputs, the paper), `answers` only those that
      are answers (p outputs, TransformerLens' demo).
    - `biases`: which biases are trained: `none`, `mlp` (the two of the MLP) or `all`; the others stay at zero.
    - `initialisation`, `seed`: a named scheme, see `initial_weights`; None, of imported networks, where unknown.
    """

    section: ClassVar[str] = "model"
    architecture: Literal["transformer", "mlp"] = "transformer"
    mlp_inputs: Literal["sum", "concatenation"] = "sum"
    n_layers: int = Field(default=1, ge=1, le=12)
    # The upper bounds are far above anything that trains on these tasks, and far below what exhausts memory.
    n_heads: int = Field(default=4, ge=1, le=1024)
    d_model: int = Field(default=128, ge=1, le=16_384)
    d_head: int = Field(default=32, ge=1, le=16_384)
    d_mlp: int = Field(default=512, ge=1, le=65_536)
    act_fn: Literal["relu", "gelu", "gelu_new", "silu", "tanh"] = "relu"
    attention: Literal["causal", "bidirectional"] = "causal"
    attn_scale: float | None = Field(default=None, gt=0)
    attention_rate: float = Field(default=1.0, ge=0, le=1)
    parallel_attn_mlp: bool = False
    normalization: Literal["none", "LN", "LNPre", "RMS", "RMSPre"] = "none"
    eps: float = Field(default=1e-5, ge=0)
    outputs: Literal["vocabulary", "answers"] = "vocabulary"
    biases: Literal["none", "mlp", "all"] = "mlp"
    initialisation: Literal["nanda", "transformer-lens", "pizza"] | None = "nanda"
    seed: int | None = Field(default=0, ge=0, lt=2**63)

    @model_validator(mode="after")
    def _heads_fill_the_model(self) -> "ModelConfig":
        if self.architecture == "mlp" or {"n_heads", "d_head", "d_model"} <= self.model_fields_set:
            return self
        # Rounded down, as in the pizza collection: a width of 86 has four heads of 21.
        if self.d_head != self.d_model // self.n_heads:
            raise ValueError(
                f"model.n_heads × model.d_head = {self.n_heads} × {self.d_head} = {self.n_heads * self.d_head}, but "
                f"model.d_model = {self.d_model}: set all three, together; where all are set they need not be equal"
            )
        return self

    @model_validator(mode="after")
    def _is_what_an_mlp_has(self) -> "ModelConfig":
        if self.architecture != "mlp":
            return self
        plain = {"normalization": "none", "attn_scale": None, "parallel_attn_mlp": False}
        for name, value in plain.items():
            if getattr(self, name) != value:
                raise ValueError(
                    f"model.{name} = {getattr(self, name)!r}: a network of architecture 'mlp' has no attention and no "
                    "normalization; leave it out"
                )
        return self

    @property
    def score_scale(self) -> float:
        """What attention scores are divided by.

        >>> ModelConfig(d_head=16, n_heads=8).score_scale
        4.0
        """
        return math.sqrt(self.d_head) if self.attn_scale is None else self.attn_scale

    def trains(self, parameter: str) -> bool:
        """Whether the optimizer moves `parameter` (a TransformerLens name).

        >>> ModelConfig(biases="mlp").trains("blocks.0.attn.b_Q")
        False
        """
        name = parameter.rsplit(".", 1)[-1]
        # LayerNorm's bias is called b.
        if not (name.startswith("b_") or name == "b") or self.biases == "all":
            return True
        return self.biases == "mlp" and name in ("b_in", "b_out")
