"""Merging: every method against plain arithmetic in float64, rounding once, and inputs that do not belong together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from blake3 import blake3
from commandline import corpus
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import RecordError, StageError, UsageError
from train.merge import selection, stack
from train.merge.config import Merge
from train.merge.run import merge
from train.merge.stack import Stack
from train.merge.tensors import CHUNK, FLOATS, Checkpoint, File, encode, write

SHAPES = {"model.embed.weight": (40, 30), "model.layers.0.w.weight": (700, 400), "model.norm.weight": (30,)}
CONTENT = ("model.safetensors", "config.json")
CONFIG = {"model_type": "llama", "vocab_size": 40, "tie_word_embeddings": True, "dtype": "bfloat16"}


def write_model(folder: Path, values, dtype="BF16", shapes=SHAPES, **config) -> Path:
    folder.mkdir()
    pieces = (encode(values[name].astype(np.float32).reshape(-1).copy(), dtype) for name in shapes)
    write(folder / "model.safetensors", {name: (dtype, shape) for name, shape in shapes.items()}, pieces)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}))
    return folder


def read(folder: Path):
    checkpoint = Checkpoint(folder)
    found = {name: tensor.array() for name, tensor in checkpoint.tensors.items()}
    checkpoint.close()
    return found


def bf16(x):
    flat = x.astype(np.float32).reshape(-1).copy()
    return (encode(flat, "BF16").astype(np.uint32) << 16).view(np.float32).reshape(x.shape)


@pytest.fixture
def models(tmp_path):
    rng = np.random.default_rng(0)
    base = {n: rng.standard_normal(s) * 0.02 for n, s in SHAPES.items()}
    for name, seed in (("base", None), ("inst", 1), ("fin", 2)):
        noise = np.random.default_rng(seed)
        values = {n: v if seed is None else v + noise.standard_normal(v.shape) * 0.002 for n, v in base.items()}
        write_model(tmp_path / name, values)
    return tmp_path


def run(models, method="linear", weights=(1.0, 0.5), **more):
    parts = [{"model": n, "weight": w} for n, w in zip(("inst", "fin"), weights, strict=True)]
    config = {"out": "out", "base": "base", "method": method, "models": parts, **more}
    shutil.rmtree(models / "out", ignore_errors=True)
    return read(merge(Merge.model_validate(config), models, models / "out"))


def largest(d, share):
    size = np.abs(d)
    return size >= np.sort(size, axis=None)[size.size - max(1, round(share * size.size))]


def by_hand(method, b, m, w):
    """The method in float64, on whole tensors."""
    d = [x - b for x in m]
    match method:
        case "linear":
            return sum(wi * x for wi, x in zip(w, m, strict=True)) / sum(w)
        case "task_arithmetic":
            return b + sum(wi * x for wi, x in zip(w, d, strict=True))
        case "ties":
            trimmed = [wi * x * largest(x, 0.5) for wi, x in zip(w, d, strict=True)]
            sign = np.where(sum(trimmed) >= 0, 1, -1)
            agree = [x * sign > 0 for x in trimmed]
            total = sum(x * a for x, a in zip(trimmed, agree, strict=True))
            share = sum(wi * a for wi, a in zip(w, agree, strict=True))
            return b + np.divide(total, share, out=np.zeros_like(b), where=share > 0)
        case "slerp":
            cosine = (m[0] * m[1]).sum() / np.linalg.norm(m[0]) / np.linalg.norm(m[1])
            angle = np.arccos(cosine)
            if abs(cosine) > 0.9995:
                return (m[0] + m[1]) / 2
            return (np.sin(angle / 2) * (m[0] + m[1])) / np.sin(angle)
        case "breadcrumbs":
            top = [np.sort(np.abs(x), axis=None)[x.size - int(0.01 * x.size) - 1] for x in d]
            kept = [x * (largest(x, 0.91 - 1e-9) & (np.abs(x) <= t)) for x, t in zip(d, top, strict=True)]
            return b + sum(wi * x for wi, x in zip(w, kept, strict=True))
        case "model_stock":
            cosine = (d[0] * d[1]).sum() / np.linalg.norm(d[0]) / np.linalg.norm(d[1])
            cosine = max(cosine, 0)
            return b + 2 * cosine / (1 + cosine) * (d[0] + d[1]) / 2
    raise AssertionError(method)


@pytest.mark.parametrize("method", ["linear", "task_arithmetic", "ties", "slerp", "breadcrumbs", "model_stock"])
def test_a_method_is_within_one_bf16_step_of_the_same_in_float64(models, method):
    made, stored = run(models, method), [read(models / n) for n in ("base", "inst", "fin")]
    for name in SHAPES:
        b, *m = (s[name].astype(np.float64) for s in stored)
        if method == "breadcrumbs" and b.size < 2000:
            continue  # 1 % of these is a few values, and which ones hangs on how the share is rounded
        expected = by_hand(method, b, m, (1.0, 0.5))
        step = 2.0 ** (np.floor(np.log2(np.maximum(np.abs(expected), 1e-30))) - 7)
        assert np.all(np.abs(made[name] - expected) <= step), name


def test_weights_of_one_give_the_model_itself(models):
    for weights, name in (((1.0, 0.0), "inst"), ((0.0, 1.0), "fin")):
        made, there = run(models, "task_arithmetic", weights), read(models / name)
        assert all(np.array_equal(made[n], there[n]) for n in SHAPES)


def test_dare_keeps_the_mean_and_drops_the_share(models):
    made, base, inst = (
        run(models, "dare_linear", (1.0, 0.0), options={"density": 0.25}),
        *(read(models / n) for n in ("base", "inst")),
    )
    name = "model.layers.0.w.weight"
    delta, full = made[name] - base[name], inst[name] - base[name]
    assert np.mean(delta != 0) == pytest.approx(0.25 * np.mean(full != 0), abs=0.01)
    kept = np.abs(delta) > 1e-3
    assert np.median(delta[kept] / full[kept]) == pytest.approx(4, rel=0.05)
    again = run(models, "dare_linear", (1.0, 0.0), options={"density": 0.25})
    assert np.array_equal(made[name], again[name])
    other = run(models, "dare_linear", (1.0, 0.0), options={"density": 0.25, "seed": 1})
    assert not np.array_equal(made[name], other[name])
    assert not np.array_equal(made[name], run(models, "dare_ties", options={"density": 0.25})[name])


def test_what_is_dropped_does_not_hang_on_the_chunks(models):
    with Checkpoint(models / "base") as base:
        tensors = [next(iter(base.tensors.values()))] * 2
        draws = [Stack("w", None, tensors, [1, 1]).coins(0.5, 3) for _ in range(2)]
    pieces = [draws[0](count) for count in (7, 1000, 1, 2, 90)]
    assert np.array_equal(np.hstack(pieces), draws[1](1100))


@pytest.mark.parametrize("values", ["normal", "few levels", "one outlier", "equal", "rising", "unlike the sample"])
def test_thresholds_are_exact_whatever_the_values(tmp_path, values):
    n = 400_000
    rng, sampled = np.random.default_rng(3), np.zeros(n, dtype=bool)
    for start in stack._starts(n):
        sampled[start : start + stack._SAMPLED] = True
    d = {
        "normal": rng.standard_normal(n),
        "few levels": rng.integers(0, 5, n) * 0.25,
        "one outlier": np.where(np.arange(n) == 77, 1e6, 0.001),
        "equal": np.ones(n),
        "rising": np.arange(n) / n,
        "unlike the sample": np.where(sampled, 0, rng.standard_normal(n)),
    }[values].astype(np.float32)
    shapes = {"w": (n,)}
    zero = write_model(tmp_path / "zero", {"w": np.zeros(n)}, "F32", shapes)
    model = write_model(tmp_path / "model", {"w": d}, "F32", shapes)
    a, b = Checkpoint(zero), Checkpoint(model)
    both = Stack("w", a.tensors["w"], [b.tensors["w"]], [1.0])
    ranks = [1, 2, n // 100, n // 2, n - 1, n]
    with pytest.MonkeyPatch.context() as patch:  # as if a sample of the whole misled, too
        patch.setattr(selection.Selection, "bounds", lambda *_: (1, 2))
        assert both.thresholds(n // 2).item() == np.sort(np.abs(d))[n - n // 2]
    assert [both.thresholds(rank).item() for rank in ranks] == [np.sort(np.abs(d))[n - rank] for rank in ranks]


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_unlike_sizes_take_one_pass(tmp_path, seed):
    rng, shapes = np.random.default_rng(seed), {"w": (2000, 400)}
    d = rng.standard_normal(shapes["w"]) * rng.lognormal(0, 1.5, (2000, 1))
    zero = Checkpoint(write_model(tmp_path / "zero", {"w": 0 * d}, "F32", shapes))
    model = Checkpoint(write_model(tmp_path / "model", {"w": d}, "F32", shapes))
    both, passes = Stack("w", zero.tensors["w"], [model.tensors["w"]], [1.0]), []
    deltas = both.deltas
    both.deltas = lambda: (passes.append(1), deltas())[1]
    both.thresholds(d.size // 2)
    assert len(passes) == 1


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 40) | st.integers(0, 2**32 - 1), min_size=1, max_size=400), st.integers(2, 7), st.data())
def test_the_nth_largest_is_that_of_sorting(values, stride, data):
    rank = data.draw(st.integers(1, len(values)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection, "_SMALL", 8)
        patch.setattr(selection, "_STRIDE", stride)
        assert selection.nth_largest(np.array(values, dtype=np.uint32), rank) == sorted(values)[-rank]


@pytest.mark.parametrize("dtype", list(FLOATS))
def test_every_float_type_is_read_and_written_as_torch_does(tmp_path, dtype, monkeypatch):
    monkeypatch.setattr("train.merge.tensors._FLUSHED", 1)
    torch = pytest.importorskip("torch")
    safetensors = pytest.importorskip("safetensors.torch")
    kinds = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    x = torch.randn(CHUNK + 77, generator=torch.Generator().manual_seed(0))
    x[:6] = torch.tensor([0.0, -0.0, float("inf"), -float("inf"), float("nan"), 1e-40])
    safetensors.save_file({"x": x.to(kinds[dtype])}, tmp_path / "model.safetensors")
    checkpoint = Checkpoint(tmp_path)
    assert np.array_equal(checkpoint.tensors["x"].array(), x.to(kinds[dtype]).float().numpy(), equal_nan=True)
    pieces = np.split(encode(x.numpy().copy(), dtype), [1000, CHUNK])
    write(tmp_path / "again", {"x": (dtype, (x.numel(),))}, iter(pieces))
    there = safetensors.load_file(tmp_path / "again")["x"]
    header = 8 + int.from_bytes((tmp_path / "again").read_bytes()[:8], "little")
    assert header % 4096 == 0  # tensors begin at a page
    assert there.dtype == kinds[dtype]
    assert torch.equal(there.nan_to_num(7), x.to(kinds[dtype]).nan_to_num(7))


@pytest.mark.parametrize("spaces", range(9))
def test_tensors_are_read_wherever_they_lie(tmp_path, spaces):
    x = np.random.default_rng(0).standard_normal(CHUNK + 77).astype(np.float32)
    stored = {dtype: encode(x.copy(), dtype) for dtype in FLOATS}
    ends = np.cumsum([0, *(value.nbytes for value in stored.values())]).tolist()
    header = {
        dtype: {"dtype": dtype, "shape": [x.size], "data_offsets": [begin, end]}
        for dtype, begin, end in zip(stored, ends, ends[1:], strict=False)
    }
    text = json.dumps(header).encode() + b" " * spaces
    data = b"".join(value.tobytes() for value in stored.values())
    (tmp_path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    with Checkpoint(tmp_path) as checkpoint:
        for dtype, tensor in checkpoint.tensors.items():
            expected = stored[dtype].astype(np.float32)
            if dtype == "BF16":
                expected = (stored[dtype].astype(np.uint32) << 16).view(np.float32)
            assert np.array_equal(tensor.array(), expected), dtype


@given(
    size=st.integers(0, 40), reads=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20))), block=st.integers(1, 16)
)
def test_a_file_is_what_was_read_and_its_digest_that_of_the_whole_however_it_was_read(size, reads, block):
    data = bytes(range(size))
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.merge.tensors._BLOCK", block)
        (Path(folder) / "file").write_bytes(data)
        file = File(Path(folder) / "file")
        for at, count in reads:
            if at + count <= size:
                assert file.view(at, count) == data[at : at + count]
        assert file.digest() == blake3(data).hexdigest()
        file.close()


def test_a_file_that_is_cut_off_while_it_is_read_is_told(tmp_path):
    (tmp_path / "file").write_bytes(bytes(100))
    file = File(tmp_path / "file")
    (tmp_path / "file").write_bytes(bytes(50))
    with pytest.raises(RecordError, match="file was cut off while it was read"):
        file.digest()


def broken(models, **config):
    (models / "fin" / "config.json").write_text(json.dumps({**CONFIG, **config}))


def test_models_that_do_not_belong_together_are_refused(models):
    broken(models, vocab_size=41)
    with pytest.raises(UsageError, match="differ in vocab_size: 40 and 41"):
        run(models)
    broken(models, tie_word_embeddings=False)
    with pytest.raises(UsageError, match="tie_word_embeddings"):
        run(models)
    broken(models)
    (models / "fin" / "tokenizer.json").write_text('{"model": {}, "added_tokens": []}')
    with pytest.raises(UsageError, match=r"tokenizers of .* differ"):
        run(models)
    run(models, tokenizer="fin")  # said on purpose
    shutil.rmtree(models / "fin")
    write_model(models / "fin", {"w": np.zeros((3, 3))}, shapes={"w": (3, 3)})
    with pytest.raises(UsageError, match=r"has the tensor model\.embed\.weight"):
        run(models)
    assert not [p for p in models.iterdir() if p.name.endswith(".tmp")]


def test_wrong_shapes_methods_options_and_files_give_one_clear_error(models):
    with pytest.raises(UsageError, match="did you mean ties"):
        run(models, "tie")
    with pytest.raises(UsageError, match="no option 'densty'"):
        run(models, "ties", options={"densty": 0.5})
    with pytest.raises(UsageError, match="give `base`"):
        run(models, "ties", base=None)
    (models / "out").mkdir(exist_ok=True)
    with pytest.raises(UsageError, match="is there already"):
        merge(Merge.model_validate({"out": "o", "models": [{"model": "inst"}]}), models, models / "out")
    data = (models / "fin" / "model.safetensors").read_bytes()
    (models / "fin" / "model.safetensors").write_bytes(data[:-5])
    with pytest.raises(RecordError, match="cut off"):
        run(models)
    (models / "fin" / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(RecordError, match="longer than the file"):
        run(models)
    deep = b"[" * 100_000
    (models / "fin" / "model.safetensors").write_bytes(len(deep).to_bytes(8, "little") + deep)
    with pytest.raises(RecordError, match="is not a safetensors file that can be read"):
        run(models)


@pytest.mark.parametrize("when", ["posix_fallocate", "fsync"])
def test_a_full_disk_leaves_nothing_behind(models, monkeypatch, when):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"train.merge.tensors.os.{when}", full)
    with pytest.raises(StageError, match="No space left"):
        run(models)
    assert sorted(p.name for p in models.iterdir()) == ["base", "fin", "inst"]


def test_the_command_merges_without_torch_and_tells_digests(models):
    (models / "m.yaml").write_text(
        "base: base\nmodels: [{model: inst}, {model: ./fin, weight: 0.5}]\nmethod: task_arithmetic\nout: made\n"
    )
    done = corpus("merge", models / "m.yaml", cwd=models)
    assert done.returncode == 0, done.stderr
    told = json.loads((models / "made" / "merge.json").read_text())
    assert set(told["inputs"]) == {"base", "inst", "./fin"}  # as they were named: folders of one name are no mix-up
    assert told["digests"] == "blake3"
    for name, files in told["inputs"].items():
        assert files == {f: blake3((models / name / f).read_bytes()).hexdigest() for f in CONTENT}
    wrong = corpus("merge", models / "m.yaml", "--set", "methd=ties", cwd=models)
    assert wrong.returncode == 2
    assert "unknown key 'methd'; did you mean method?" in wrong.stderr
    both = corpus("merge", models / "m.yaml", "--set", "adapters=[{adapter: a}]", cwd=models)
    assert "m.yaml: give either models or adapters" in both.stderr


@pytest.mark.parametrize("method", ["task_arithmetic", "ties", "linear"])
def test_a_tensor_without_values_stays_as_it_is(tmp_path, method):
    shapes = {"w": (70,), "none": (0, 8)}
    for seed, name in enumerate(("base", "inst", "fin")):
        values = np.random.default_rng(seed).standard_normal(70)
        write_model(tmp_path / name, {"w": values, "none": np.empty((0, 8))}, "BF16", shapes)
    assert run(tmp_path, method)["none"].shape == (0, 8)
