"""Golden outputs of PyTorch's recurrent layers.

Run with torch 2.15: `python make.py > golden.json`. Weights and inputs are
written as formulas, so that both sides make them afresh:
value i of the k-th tensor is sin(0.37 i + k) / 2.
"""
import json
import torch


def values(k, *shape):
    n = torch.Size(shape).numel()
    return (torch.sin(0.37 * torch.arange(n, dtype=torch.float64) + k) / 2).reshape(shape).float()


def run(kind, hidden, inputs, layers, bidirectional, steps):
    cls = torch.nn.LSTM if kind == "lstm" else torch.nn.RNN
    net = cls(inputs, hidden, layers, bidirectional=bidirectional, batch_first=True)
    with torch.no_grad():
        for k, (_, p) in enumerate(net.named_parameters()):
            p.copy_(values(k, *p.shape))
        out, _ = net(values(100, 1, steps, inputs) * 2)
    return {
        "cell": "lstm" if kind == "lstm" else "simple-rnn",
        "hidden": hidden,
        "inputs": inputs,
        "n_layers": layers,
        "bidirectional": bidirectional,
        "steps": steps,
        "names": [n for n, _ in net.named_parameters()],
        "output": [round(v, 8) for v in out.flatten().tolist()],
    }


cases = [run(kind, 6, 5, layers, both, 12) for kind in ("lstm", "rnn") for layers, both in ((1, False), (2, True))]
print(json.dumps(cases))
