"""Cuts the published 8-bit Whisper encoder after its third block:
`cut.py FILE OUT.onnx` writes the part and prints its output's name."""

import sys

import onnx
from onnx.utils import Extractor

source, target = sys.argv[1:]
model = onnx.load(source)
# A block ends where its residual meets the next block's first normalisation.
norm = "inner.encoder.layers.3.self_attn_layer_norm.weight"
following = [n for n in model.graph.node if n.op_type == "LayerNormalization" and any(norm in i for i in n.input)]
output = following[0].input[0]
part = Extractor(model).extract_model([i.name for i in model.graph.input], [output])
onnx.save(part, target)
print(output)
