"""What a merge is made of: the YAML that `corpus merge` reads."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from registry.configuration import Section


class Part(Section):
    """One model of a merge and its weight."""

    model: str = Field(description="Folder of a Hugging Face checkpoint.")
    weight: float = Field(1.0, description="Its weight; what that means is the method's.")


class AdapterPart(Section):
    """One LoRA adapter of a merge and its weight."""

    adapter: str = Field(description="Folder of an adapter in PEFT's format.")
    weight: float = Field(1.0, description="Its weight in the sum of the updates.")


class Sweep(Section):
    """A search for weights: every combination, or the most promising ones after the first few."""

    weights: list[list[float]] = Field(min_length=1, description="For each model, the weights to try.")
    evaluate: str = Field(description="A configuration of `corpus evaluate`; its models are left out of account.")
    metric: str = Field(description="Of the evaluation, such as `bits_per_byte.finance`.")
    maximize: bool = Field(False, description="Whether more of the metric is better.")
    trials: int = Field(0, ge=0, description="Merges at most, chosen by Bayesian search; 0: the whole grid.")


class Merge(Section):
    """All of a merge. Either `models` and a `method`, or `adapters`."""

    out: str = Field(description="Folder to make; it must not be there yet.")
    base: str | None = Field(None, description="The model that the others were trained from.")
    models: list[Part] = Field([], description="The models.")
    method: str = Field("linear", description="How their tensors are merged.")
    options: dict[str, Any] = Field({}, description="Options of the method, such as `{density: 0.5}`.")
    adapters: list[AdapterPart] = Field([], description="LoRA adapters, instead of models.")
    rank: int | None = Field(
        None, ge=1, description="Of the merged adapter; without it the sum of the ranks, which is exact."
    )
    fold: bool = Field(False, description="Add the adapters to the base, which gives a model.")
    dtype: str | None = Field(None, pattern="^(F32|F16|BF16)$", description="Of the result; default: the reference's.")
    tokenizer: str | None = Field(
        None, description="Folder whose tokenizer the result gets; needed where those of the inputs differ."
    )
    sweep: Sweep | None = Field(None, description="A search for weights, by `corpus merge --sweep`.")

    @model_validator(mode="after")
    def _one_kind(self) -> Merge:
        if bool(self.models) == bool(self.adapters):
            raise ValueError("give either models or adapters")
        if self.fold and not (self.adapters and self.base):
            raise ValueError("fold needs adapters and a base")
        if self.rank and (self.fold or not self.adapters):
            raise ValueError("rank is of a merged adapter: it goes with adapters, and not with fold")
        if self.sweep and len(self.sweep.weights) != len(self.models):
            raise ValueError(f"sweep.weights has {len(self.sweep.weights)} lists for {len(self.models)} models")
        return self
