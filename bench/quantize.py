"""Models in other number formats, for `npm run bench -- options --quantized FOLDER`; the program itself needs none of this.

    node bin/polyrnn.js export mobile --out FOLDER
    python bench/quantize.py FOLDER CROPS.npy

CROPS.npy: [n, 224, 224, 3] uint8, crops to calibrate int8-static on (n >= 32, best from training images); without it, int8-static is
left out. Needs onnx and onnxruntime.
"""
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16

PARTS = ("encoder", "step")


class Feeds(CalibrationDataReader):
    def __init__(self, feeds):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)


def step_feeds(folder: Path, crops: np.ndarray, batch: int = 8):
    """What the decoder sees along real polygons: the inputs of every step of a greedy decode."""
    encoder = ort.InferenceSession(folder / "encoder.onnx")
    step = ort.InferenceSession(folder / "step.onnx")
    feeds = []
    for start in range(0, len(crops), batch):
        pixels = crops[start : start + batch]
        vertex, hoisted = encoder.run(["vertex", "hoisted"], {"pixels": pixels})
        shapes = {value.name: value.shape[1] for value in step.get_inputs() if value.name in ("h1", "c1", "h2", "c2")}
        state = {name: np.zeros((len(pixels), channels, 28, 28), np.float32) for name, channels in shapes.items()}
        first = vertex.reshape(len(pixels), -1).argmax(1).astype(np.int32)
        previous, before = first, np.full_like(first, 784)
        for _ in range(12):
            feed = {"hoisted": hoisted, **state, "first": first, "previous": previous, "before_previous": before}
            feeds.append(feed)
            logits, h1, c1, h2, c2 = step.run(["logits", "next_h1", "next_c1", "next_h2", "next_c2"], feed)
            state = {"h1": h1, "c1": c1, "h2": h2, "c2": c2}
            previous, before = logits.argmax(1).astype(np.int32), previous
    return feeds


def main(folder: Path, crops_file: str | None) -> None:
    for part in PARTS:
        source = folder / f"{part}.onnx"
        prepared = folder / f"{part}.prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        dense = {"MatMul", "Gemm"}
        quantize_dynamic(prepared, folder / f"{part}.int8-dynamic-dense.onnx", op_types_to_quantize=list(dense), weight_type=QuantType.QInt8)
        quantize_dynamic(prepared, folder / f"{part}.int8-dynamic.onnx", weight_type=QuantType.QUInt8)
        half = convert_float_to_float16(onnx.load(source), keep_io_types=True, op_block_list=["Resize"])
        onnx.save(half, folder / f"{part}.float16.onnx")
    if crops_file is None:
        return
    crops = np.load(crops_file)[:64]
    feeds = {"encoder": [{"pixels": crops[i : i + 8]} for i in range(0, len(crops), 8)], "step": step_feeds(folder, crops)}
    for part in PARTS:
        quantize_static(
            folder / f"{part}.prepared.onnx", folder / f"{part}.int8-static.onnx", Feeds(feeds[part]),
            quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, op_types_to_quantize=["Conv", "Gemm"],
        )
    for part, kind in (("encoder", "int8-static"), ("step", None)):
        name = f"{part}.{kind}.onnx" if kind else f"{part}.onnx"
        (folder / f"{part}.int8-static-encoder.onnx").write_bytes((folder / name).read_bytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
