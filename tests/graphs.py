"""Holds bundles for TensorRT against ONNX's own tools and the float bundle: graphs.py FLOAT BUNDLE…; see graphs.sh."""
import glob, sys
from collections import Counter
from pathlib import Path
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, shape_inference

if len(sys.argv) < 3:
    sys.exit("error: expected graphs.py FLOAT BUNDLE…")
floats, *bundles = map(Path, sys.argv[1:])
PRODUCTS = {"Conv", "Gemm", "MatMul"}
# What may compute in FP32: LayerNorm and the residual sums that it reads, the scales of words in 8 bits, beside what only moves values.
SINGLE = {"LayerNormalization", "Add", "Cast", "Reshape", "Transpose", "Identity", "Split", "Gather", "QuantizeLinear", "DequantizeLinear"}


def check(truth, said):
    if not truth:
        sys.exit(f"error: {said}")


def types(path):
    """The graph and the type of each tensor, by strict shape inference."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    model = shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    graph = model.graph
    known = {v.name: v.type.tensor_type.elem_type for v in [*graph.value_info, *graph.input, *graph.output]}
    known |= {t.name: t.data_type for t in graph.initializer}
    unknown = [name for node in graph.node for name in node.output if name and name not in known]
    check(not unknown, f"{path}: no type is known of {unknown[:3]}")
    return model, known


def precision(bundle, name):
    """In what the products of a graph compute: 8 bits behind Q/DQ, or the type of their operands."""
    path = bundle / name
    model, known = types(path)
    makers = {output: node for node in model.graph.node for output in node.output}
    found = Counter()
    fused = set()   # outputs of 8-bit products and of the activations that fuse with them
    for node in model.graph.node:
        operands = [name for name in node.input if name]
        if node.op_type in PRODUCTS:
            quantized = [makers[name].op_type == "DequantizeLinear" for name in operands[:2] if name in makers]
            kind = "INT8" if len(quantized) == 2 and all(quantized) else TensorProto.DataType.Name(known[operands[0]])
            found[kind] += 1
            if kind == "INT8":
                fused.update(node.output)
        elif node.op_type in ("Clip", "Relu") and node.input[0] in fused:
            fused.update(node.output)
        elif known[node.output[0]] == TensorProto.FLOAT:
            check(node.op_type in SINGLE or node.name == "decoder.embedding", f"{path}: {node.op_type} {node.name} computes in FP32, which TensorRT takes as it is")
    zero_points = {n.input[2] for n in model.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear") and len(n.input) > 2}
    for tensor in model.graph.initializer:
        if tensor.name in zero_points:
            check(tensor.data_type == TensorProto.INT8 and not onnx.numpy_helper.to_array(tensor).any(), f"{path}: {tensor.name} is no S8 zero")
    return found


def memory(bundle, images):
    session = ort.InferenceSession(bundle / "encoder.onnx", providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images})[0].astype(np.float64)


model = onnx.load(floats / "encoder.onnx")
side = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
images = np.random.default_rng(1).uniform(-1.0, 1.0, (2, 3, side, side)).astype(np.float32)
reference = memory(floats, images)
for bundle in bundles:
    counts = {name: precision(bundle, name) for name in ("encoder.onnx", "decoder.onnx")}
    check(all(not count["FLOAT"] for count in counts.values()), f"{bundle}: products in FP32: {counts}")
    want = "INT8" if bundle.name == "int8" else "FLOAT16"
    check(counts["encoder.onnx"][want] > 50, f"{bundle}: {counts}")
    found = memory(bundle, images)
    cosine = float((found * reference).sum() / np.sqrt((found**2).sum() * (reference**2).sum()))
    check(np.isfinite(found).all() and cosine > (0.98 if want == "INT8" else 0.9999), f"{bundle}: memory has cosine {cosine:.5f} with the float bundle's")
    shown = "; ".join(f"{name}: " + ", ".join(f"{n} products in {kind}" for kind, n in sorted(count.items())) for name, count in counts.items())
    print(f"{bundle.name}: ONNX's checker and strict shape inference pass; {shown}; cosine {cosine:.5f} in ONNX Runtime's CPU")
