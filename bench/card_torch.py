"""PyTorch beside bench/card.mjs, on the same card: a network of the layers of `mobile` with random weights, timed as
encoder and as decoder steps. Needs only torch. Prints lines of a name, a tab and a value.

    python3 bench/card_torch.py [batch] [rounds]
"""
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

BATCH = int(sys.argv[1]) if len(sys.argv) > 1 else 256
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
STEPS = 18
GRID, CLASSES = 28, 785
WIDTHS, FEATURES, SKIP, RANK = (24, 16), 96, 32, 128
BLOCKS = [(24, 2), (24, 1), (32, 2), (32, 1), (32, 1), (64, 2), (64, 1), (64, 1), (64, 1), (96, 1), (96, 1), (96, 1),
          (160, 2), (160, 1), (160, 1), (320, 1)]
TAPS = (2, 5, 12, 16)


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        wide = 6 * inputs
        self.is_residual = stride == 1 and inputs == outputs
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, wide, 1), nn.ReLU6(),
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide), nn.ReLU6(),
            nn.Conv2d(wide, outputs, 1))

    def forward(self, x):
        return x + self.layers(x) if self.is_residual else self.layers(x)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1), nn.ReLU6(),
                                  nn.Conv2d(32, 32, 3, 1, 1, groups=32), nn.ReLU6(), nn.Conv2d(32, 16, 1))
        channels = [16] + [outputs for outputs, _ in BLOCKS]
        self.blocks = nn.ModuleList(Block(channels[i], o, s) for i, (o, s) in enumerate(BLOCKS))
        self.skips = nn.ModuleList([nn.Conv2d(24, SKIP, 3, 2, 1), nn.Conv2d(32, SKIP, 3, 1, 1),
                                    nn.Conv2d(96, SKIP, 1), nn.Conv2d(320, SKIP, 1)])
        self.fuse = nn.Sequential(nn.Conv2d(4 * SKIP, FEATURES, 3, 1, 1), nn.ReLU(),
                                  nn.Conv2d(FEATURES, FEATURES, 3, 1, 1), nn.ReLU())
        self.maps = nn.Sequential(nn.Conv2d(FEATURES, 32, 3, 1, 1), nn.ReLU(), nn.Conv2d(32, 3, 1))
        self.gates = nn.Conv2d(FEATURES + 3, 4 * WIDTHS[0], 3, 1, 1)

    def forward(self, x):
        x, taps = self.stem(x), []
        for number, block in enumerate(self.blocks, 1):
            x = block(x)
            if number in TAPS:
                taps.append(x)
        taken = [F.interpolate(skip(tap), size=(GRID, GRID), mode="bilinear", align_corners=False)
                 if tap.shape[-1] < GRID else skip(tap) for skip, tap in zip(self.skips, taps)]
        features = self.fuse(F.relu(torch.cat(taken, 1)))
        maps = self.maps(features)
        return maps, self.gates(torch.cat([features, 2 * torch.sigmoid(maps) - 1], 1))


class Step(nn.Module):
    def __init__(self):
        super().__init__()
        one, two = WIDTHS
        self.gates_1 = nn.Conv2d(9 + one, 4 * one, 3, 1, 1, bias=False)
        self.gates_2 = nn.Conv2d(one + two, 4 * two, 3, 1, 1)
        self.cell = nn.Conv2d(two, 1, 1)
        self.overall = nn.Sequential(nn.Linear(two * GRID * GRID, RANK), nn.ReLU(), nn.Linear(RANK, CLASSES))

    @staticmethod
    def lstm(gates, c):
        i, f, o, g = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def forward(self, hoisted, vertices, h1, c1, h2, c2):
        h1, c1 = self.lstm(hoisted + self.gates_1(torch.cat([vertices, h1], 1)), c1)
        h2, c2 = self.lstm(self.gates_2(torch.cat([h1, h2], 1)), c2)
        logits = self.overall(h2.flatten(1)) + F.pad(self.cell(h2).flatten(1), (0, 1))
        return logits.argmax(1), h1, c1, h2, c2


def seconds(work):
    """Median of the rounds, after warming up."""
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    each = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        torch.cuda.synchronize()
        each.append(time.perf_counter() - began)
    return statistics.median(each)


def as_graph(work):
    """The same work as one CUDA graph: no time of the host between kernels."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


@torch.inference_mode()
def main():
    if not torch.cuda.is_available():
        sys.exit("torch sees no card")
    torch.backends.cudnn.benchmark = True
    print(f"PyTorch\t{torch.__version__} on {torch.cuda.get_device_name()}")
    for name, kind in (("float32", None), ("float16", torch.float16)):
        for batch in sorted({1, BATCH}):
            encoder, step = Encoder().cuda().eval(), Step().cuda().eval()
            pixels = torch.rand(batch, 3, 224, 224, device="cuda")
            planes = [torch.zeros(batch, channels, GRID, GRID, device="cuda")
                      for channels in (4 * WIDTHS[0], 9, WIDTHS[0], WIDTHS[0], WIDTHS[1], WIDTHS[1])]
            with torch.autocast("cuda", dtype=kind or torch.float16, enabled=kind is not None, cache_enabled=False):
                encode = seconds(as_graph(lambda: encoder(pixels)))
                one = seconds(as_graph(lambda: step(*planes)))
            print(f"PyTorch, {name}, batch {batch}: encoder, step, per instance"
                  f"\t{1e3 * encode / batch:.4f} ms, {1e3 * one / batch:.4f} ms")
            print(f"PyTorch, {name}, batch {batch}: encoder and {STEPS} steps, instances/s"
                  f"\t{batch / (encode + STEPS * one):.0f}")


main()
