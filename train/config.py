"""How a model is trained: the YAML that `corpus train` reads."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from registry.configuration import Section
from registry.packing import Method


class SourceOfTokens(Section):
    """Shards and their share of the tokens."""

    shards: str = Field(description="A build, or a folder of shards.")
    weight: float = Field(1.0, gt=0, description="Its share of the tokens, relative to the others'.")
    only: list[str] = Field([], description="Sources of the build that are taken; none: all of them.")


class Examples(Section):
    """Prompts with options, learnt beside the text."""

    file: str = Field(description="JSONL with `prompt`, `options` and `answer`.")
    weight: float = Field(0.5, gt=0, lt=1, description="Of their loss; the text's has the rest.")
    size: int = Field(8, ge=1, description="Examples in a step.")
    loss: Literal["choice", "answer"] = Field(
        "choice", description="`choice`: the right option against the others; `answer`: the tokens of the right one."
    )


class Data(Section):
    """What is read."""

    sources: list[SourceOfTokens] = Field(min_length=1, description="Mixed by weight, such as the domain and a replay.")
    length: int = Field(2048, ge=2, description="Tokens in a sequence.")
    batch: int = Field(64, ge=1, description="Sequences in a step, over all processes.")
    micro: int = Field(8, ge=1, description="Sequences that go through the model at once; gradients are accumulated.")
    packing: Method = Field(
        "best_fit",
        description="How documents fill sequences: `best_fit`, `concatenate` (cut where one is full), or `single` (each"
        " its own), for models that cannot tell two in one apart.",
    )
    examples: Examples | None = Field(None, description="Numeric choices or instructions beside the text.")

    @model_validator(mode="after")
    def _whole_micros(self) -> Data:
        if self.batch % self.micro:
            raise ValueError(f"batch ({self.batch}) must be a multiple of micro ({self.micro})")
        return self


class Optimizer(Section):
    """AdamW."""

    lr: float = Field(gt=0, description="The highest learning rate.")
    betas: list[float] = Field([0.9, 0.95], min_length=2, max_length=2, description="Decay of the two moments.")
    epsilon: float = Field(1e-8, gt=0, description="Added to the root of the second moment.")
    weight_decay: float = Field(0.1, ge=0, description="Of matrices; norms and biases have none.")
    clip: float = Field(1.0, gt=0, description="The gradient is scaled down to this norm.")


class Lora(Section):
    """Low-rank adapters instead of all parameters."""

    rank: int = Field(8, ge=1, description="Of the updates.")
    alpha: float = Field(16.0, gt=0, description="The update is scaled by alpha / rank.")
    targets: list[str] = Field([], description="Names of linear layers, such as `q_proj`; none: all but the output.")


class Checkpoints(Section):
    """What is kept of a run."""

    every: int = Field(500, ge=1, description="Steps between checkpoints; the last step always makes one.")
    keep: int = Field(2, ge=1, description="How many of the newest are kept.")
    milestones: int = Field(0, ge=0, description="Those at multiples of this many steps are kept for good; 0: none.")


class Validation(Section):
    """Bits per byte of the shards' validation split."""

    every: int = Field(0, ge=0, description="Steps between validations; 0: none.")
    documents: int = Field(100, ge=1, description="Documents of each source, the first ones.")


class Guard(Section):
    """Steps whose loss or gradient is not finite, or whose gradient jumps, change nothing."""

    spike: float = Field(20.0, gt=1, description="A gradient this many times the running mean is skipped.")
    abort: int = Field(10, ge=1, description="The run ends after this many skipped steps in a row.")


class Train(Section):
    """All of a run."""

    model: str = Field(description="Folder of a Hugging Face causal language model.")
    init: bool = Field(False, description="Random weights by `seed`; the folder needs only a config.json.")
    out: str = Field(description="Folder of the run.")
    steps: int = Field(ge=1, description="Optimizer steps.")
    seed: int = Field(0, ge=0, description="Of packing, mixing, dropout and random weights.")
    data: Data = Field(description="What is read.")
    optimizer: Optimizer = Field(description="AdamW.")
    schedule: str = Field("cosine", description="Of the learning rate: cosine, wsd, rewarm or constant.")
    schedule_options: dict[str, Any] = Field({}, description="Options of the schedule, such as `{warmup: 0.02}`.")
    precision: Literal["bf16", "fp32"] = Field("bf16", description="Of the arithmetic; weights are float32 masters.")
    attention: str | None = Field(
        None,
        description="Kernel of transformers, such as `flex_attention`, which skips what a document does not see; none:"
        " its own choice. Those of flash-attn know no float32, and are refused.",
    )
    lora: Lora | None = Field(None, description="Train adapters; without it all parameters.")
    checkpoints: Checkpoints = Field(Checkpoints(), description="What is kept.")
    validation: Validation = Field(Validation(), description="Bits per byte while training.")
    guard: Guard = Field(Guard(), description="What happens to bad steps.")
    recompute: bool = Field(False, description="Recompute activations in the backward pass: less memory, 30 % slower.")
    compile: bool = Field(False, description="Use torch.compile: faster after a minute or more.")
    parallel: Literal["ddp", "fsdp"] = Field("ddp", description="Under torchrun: copies of the model, or its shards.")
    patience: int = Field(600, ge=1, description="Seconds that a process waits for the others before the run fails.")
    log_every: int = Field(10, ge=1, description="Steps between lines of progress.")
    tensorboard: bool = Field(False, description="Write TensorBoard events, too.")

    @field_validator("attention")
    @classmethod
    def _knows_float32(cls, kernel: str | None) -> str | None:
        if kernel and "flash" in kernel:  # also of a hub, such as kernels-community/flash-attn2
            raise ValueError(f"{kernel} knows no float32, in which leakage and bits per byte are measured")
        return kernel


class Judged(Section):
    """One model to be measured."""

    name: str = Field(description="In the results.")
    model: str = Field(description="Folder of a Hugging Face model.")


class Task(Section):
    """Multiple-choice items."""

    name: str = Field(description="In the results.")
    file: str = Field(
        description="JSONL with prompt, options, answer; or of japanese-lm-fin-harness: data.json, CPA_AUDIT.xlsx, or"
        " the folder of chabsa's JSON files."
    )
    prompts: list[str] = Field([], description="Versions of the harness's prompts; none: all. JSONL has its own.")


class LmEval(Section):
    """Tasks of lm-evaluation-harness, by the extra `eval`."""

    tasks: list[str] = Field(min_length=1, description="Their names.")
    include: str | None = Field(None, description="A folder of task YAML; without it lm_eval's own tasks are found.")


class Evaluate(Section):
    """All of an evaluation."""

    models: list[Judged] = Field(min_length=1, description="What is measured; the others are compared to the first.")
    out: str = Field(description="Folder for results.json and generations.html.")
    shards: dict[str, str] = Field({}, description="Builds by name, whose validation split gives bits per byte.")
    documents: int = Field(200, ge=1, description="Documents of each source, the first ones.")
    length: int = Field(2048, ge=8, description="Tokens that a model sees at once.")
    tasks: list[Task] = Field([], description="Multiple choice.")
    lm_eval: LmEval | None = Field(None, description="Tasks of lm-evaluation-harness beside them.")
    prompts: list[str] = Field([], description="Generated from by every model, side by side.")
    generate: int = Field(64, ge=1, description="Tokens to generate at most.")

    @model_validator(mode="after")
    def _own_names(self) -> Evaluate:
        for what, names in (("models", [m.name for m in self.models]), ("tasks", [t.name for t in self.tasks])):
            if twice := [name for name in names if names.count(name) > 1]:
                raise ValueError(f"two of the {what} are called {twice[0]}")
        return self
