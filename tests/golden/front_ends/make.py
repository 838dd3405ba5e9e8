"""Makes golden.json: what PyTorch makes of `tests/data/speech.wav` through the
two kinds of front end, with small weights written as formulas, so that both
sides make them afresh: value i of the k-th weight (in the order of `names`) is
sin(0.37 i + k) * amplitude.

    python -m venv venv && venv/bin/pip install torch==2.15.0 librosa==0.11.0 soundfile==0.14.0
    venv/bin/python tests/golden/front_ends/make.py > tests/golden/front_ends/golden.json

With the published files (see `undertone import-encoder --help`) as arguments it
checks itself against onnxruntime and writes what the real weights make of the
same recording, in full; `cargo test -- --ignored real_weights` compares:

    venv/bin/pip install onnx==1.23.2 onnxruntime==1.32.0
    venv/bin/python tests/golden/front_ends/make.py pretrained.pt smart-turn-v3.2-cpu.onnx > real.json
"""

import json
import pathlib
import sys

import librosa
import numpy as np
import soundfile
import torch
from torch.nn import functional as F

VERSIONS = {"torch": "2.15", "librosa": "0.11.0"}
assert torch.__version__.startswith(VERSIONS["torch"]), torch.__version__
assert librosa.__version__ == VERSIONS["librosa"], librosa.__version__

HERE = pathlib.Path(__file__).parent
RATE, N_FFT, HOP = 16_000, 400, 160
EVERY = 5  # Of frames and of columns, what golden.json keeps.


def values(k, shape, amplitude):
    n = torch.Size(shape).numel()
    return (torch.sin(0.37 * torch.arange(n, dtype=torch.float64) + k) * amplitude).reshape(shape).float()


def speaker_frames(samples, n_mels):
    """resemblyzer's mel power bands of sound at -30 dBFS, [frames, n_mels]."""
    samples = samples * 10 ** (-30 / 20) / np.sqrt(np.mean(samples.astype(np.float64) ** 2))
    bands = librosa.feature.melspectrogram(
        y=samples.astype(np.float32), sr=RATE, n_fft=N_FFT, hop_length=HOP, n_mels=n_mels
    )
    return torch.from_numpy(bands.astype(np.float32).T.copy())


def speaker(samples, weights):
    n_layers = sum(name.startswith("weight_ih") for name in weights)
    hidden, n_mels = weights["weight_hh_l0"].shape[1], weights["weight_ih_l0"].shape[1]
    x = speaker_frames(samples, n_mels)[None]
    outputs = []
    for layer in range(n_layers):
        lstm = torch.nn.LSTM(x.shape[2], hidden, batch_first=True)
        lstm.load_state_dict({n: weights[n.replace("_l0", f"_l{layer}")] for n, _ in lstm.named_parameters()})
        x, _ = lstm(x)
        outputs.append(x[0])
    y = torch.cat(outputs, 1)
    pairs = [y[i : i + 2].mean(0) for i in range(0, len(y), 2)]
    return torch.stack(pairs)


def whisper_frames(samples, n_mels):
    """transformers' WhisperFeatureExtractor without padding, [n_mels, frames]."""
    x = samples.astype(np.float64)
    x = (x - x.mean()) / np.sqrt(x.var() + 1e-7)
    spectrum = librosa.stft(x, n_fft=N_FFT, hop_length=HOP, window="hann", center=True, pad_mode="reflect")
    bank = librosa.filters.mel(sr=RATE, n_fft=N_FFT, n_mels=n_mels, dtype=np.float64)
    log = np.log10(np.maximum(1e-10, bank @ np.abs(spectrum[:, :-1]) ** 2))
    log = (np.maximum(log, log.max() - 8) + 4) / 4
    return torch.from_numpy(log.astype(np.float32))


def whisper(samples, weights):
    return whisper_blocks(whisper_frames(samples, weights["conv1.weight"].shape[1])[None], weights)


def whisper_blocks(mel, w):
    x = F.gelu(F.conv1d(mel, w["conv1.weight"], w["conv1.bias"], padding=1))
    x = F.gelu(F.conv1d(x, w["conv2.weight"], w["conv2.bias"], stride=2, padding=1))[0].T
    x = x + w["embed_positions.weight"][-len(x) :]
    outputs, width = [], x.shape[1]
    for i in range(sum(name.endswith("fc1.weight") for name in w)):
        linear = lambda y, n: F.linear(y, w[f"layers.{i}.{n}.weight"], w.get(f"layers.{i}.{n}.bias"))
        norm = lambda y, n: F.layer_norm(y, (width,), w[f"layers.{i}.{n}.weight"], w[f"layers.{i}.{n}.bias"])
        heads = lambda y: y.reshape(len(y), -1, 64).transpose(0, 1)
        y = norm(x, "self_attn_layer_norm")
        q, k, v = (heads(linear(y, f"self_attn.{n}_proj")) for n in "qkv")
        y = F.scaled_dot_product_attention(q, k, v).transpose(0, 1).reshape(len(y), width)
        x = x + linear(y, "self_attn.out_proj")
        x = x + linear(F.gelu(linear(norm(x, "final_layer_norm"), "fc1")), "fc2")
        outputs.append(x)
    return torch.cat(outputs, 1)


def small_speaker(hidden=16, n_mels=40):
    shapes = {}
    for layer, n_inputs in enumerate((n_mels, hidden)):
        shapes |= {
            f"weight_ih_l{layer}": (4 * hidden, n_inputs),
            f"weight_hh_l{layer}": (4 * hidden, hidden),
            f"bias_ih_l{layer}": (4 * hidden,),
            f"bias_hh_l{layer}": (4 * hidden,),
        }
    return shapes


def small_whisper(width=128, n_mels=80, n_positions=150):
    shapes = {
        "conv1.weight": (width, n_mels, 3),
        "conv1.bias": (width,),
        "conv2.weight": (width, width, 3),
        "conv2.bias": (width,),
        "embed_positions.weight": (n_positions, width),
    }
    for i in range(2):
        for n in "qkv":
            shapes[f"layers.{i}.self_attn.{n}_proj.weight"] = (width, width)
            if n != "k":
                shapes[f"layers.{i}.self_attn.{n}_proj.bias"] = (width,)
        layers = [
            ("self_attn.out_proj", (width, width)),
            ("fc1", (4 * width, width)),
            ("fc2", (width, 4 * width)),
            ("self_attn_layer_norm", (width,)),
            ("final_layer_norm", (width,)),
        ]
        for name, shape in layers:
            shapes |= {f"layers.{i}.{name}.weight": shape, f"layers.{i}.{name}.bias": shape[:1]}
    return shapes


def case(kind, run, samples, shapes, amplitude):
    names = list(shapes)
    weights = {n: values(k, shapes[n], amplitude) for k, n in enumerate(names)}
    y = run(samples, weights)
    kept = y[::EVERY, ::EVERY]
    return {
        "kind": kind,
        "names": names,
        "shapes": [list(shapes[n]) for n in names],
        "amplitude": amplitude,
        "every": EVERY,
        "frames": len(y),
        "output": [float(f"{v:.7g}") for v in kept.flatten().tolist()],
    }


def real_speaker(path):
    state = torch.load(path, map_location="cpu", weights_only=False)["model_state"]
    return {n[5:]: v for n, v in state.items() if n.startswith("lstm.") and not n.endswith("l2")}


def real_whisper(path):
    """Weights with the 8-bit pairs undone, and a check against onnxruntime."""
    import onnx
    import onnxruntime
    from onnx import numpy_helper

    model = onnx.load(path)
    constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    renamed = {}
    # Activations keep their full precision; weights are what the pairs make of them.
    for node in list(model.graph.node):
        if node.op_type == "QuantizeLinear":
            renamed[node.output[0]] = node.input[0]
            model.graph.node.remove(node)
        elif node.op_type == "DequantizeLinear":
            value, scale, zero = (constants.get(n) for n in node.input)
            if value is None:
                renamed[node.output[0]] = renamed[node.input[0]]
            else:
                axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
                shape = [-1 if i == axis else 1 for i in range(value.ndim)]
                full = (value.astype(np.float32) - zero.reshape(shape)) * scale.reshape(shape)
                constants[node.output[0]] = full.astype(np.float32)
                model.graph.initializer.append(numpy_helper.from_array(constants[node.output[0]], node.output[0]))
            model.graph.node.remove(node)
    weights, products = {}, []
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            while name in renamed:
                name = renamed[name]
            node.input[i] = name
        if node.op_type == "MatMul" and node.input[1] in constants:
            products.append(constants[node.input[1]].T)
        if node.op_type == "Conv":
            name = f"conv{1 + ('conv1.weight' in weights)}"
            weights |= {f"{name}.weight": constants[node.input[1]], f"{name}.bias": constants[node.input[2]]}
    for name, value in constants.items():
        if name.startswith(("inner.encoder.layers.0", "inner.encoder.layers.1", "inner.encoder.embed")):
            weights[name.removeprefix("inner.encoder.")] = value
    order = ["self_attn.k_proj", "self_attn.q_proj", "self_attn.v_proj", "self_attn.out_proj", "fc1", "fc2"]
    for i, product in enumerate(products[:12]):
        weights[f"layers.{i // 6}.{order[i % 6]}.weight"] = product
    weights = {n: torch.from_numpy(v.copy()) for n, v in weights.items()}

    ends = ["add_146", "add_268"]
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in ends)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    noise = np.random.default_rng(1).standard_normal(8 * RATE).astype(np.float32)
    mel = whisper_frames(noise, 80)[None]
    theirs = np.concatenate([y[0] for y in session.run(ends, {"input_features": mel.numpy()})], 1)
    ours = whisper_blocks(mel, weights).numpy()
    worst = np.abs(theirs - ours).max() / np.abs(theirs).std()
    print(f"against onnxruntime: {worst:.1e} deviations", file=sys.stderr)
    assert worst < 1e-3, worst
    return weights


def real(kind, run, samples, weights):
    return {"kind": kind, "output": run(samples, weights).flatten().tolist()}


samples, rate = soundfile.read(HERE.parent.parent / "data" / "speech.wav", dtype="float32")
assert rate == RATE
with torch.no_grad():
    if sys.argv[1:]:
        cases = [
            real("speaker", speaker, samples, real_speaker(sys.argv[1])),
            real("whisper", whisper, samples, real_whisper(sys.argv[2])),
        ]
    else:
        cases = [
            case("speaker", speaker, samples, small_speaker(), 0.5),
            case("whisper", whisper, samples, small_whisper(), 0.1),
        ]
print(json.dumps(cases))
