"""Short trainings with one setting changed, scored on validation crops, for "Settings of training" in README.md; the program itself needs
none of this.

    export PYTHONPATH=../shared/tools/explore
    python ../shared/tools/explore/pack.py DATA PACK --size 312 --quality 85    (for the table, with its caps per source lifted)
    python bench/tune.py run PACK base.json --init first.safetensors
    python bench/tune.py run PACK lr-double.json --init first.safetensors --learning-rate 1.6e-3 --backbone-learning-rate 4e-4
    python bench/tune.py compare base.json lr-double.json ...
    python bench/tune.py score PACK base.json base.safetensors                  (weights that --save wrote, scored again)

`network` and `train` are those of the exploration trainer: its network is `mobile`, its weights carry the program's names. Two runs with one
seed see the same crops in the same order. A score is the mean IoU of one greedy polygon per crop through the centers of its cells; beside it
stands the IoU of the mask map at a half, within the box. Needs torch, safetensors and opencv.
"""
import argparse
import json
import math
import random
import time

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

import network
import train as explore

LOW_BLOCKS = tuple(f"encoder.{name}." for name in ("stem", "block_0", "block_1", "block_2", "block_3"))
AVERAGE = 0.995
DRAWN_STEPS = 60
SUPERSAMPLING = 2


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("pack")
    run.add_argument("out")
    run.add_argument("--init", required=True, help="weights to start from; what is not in it starts at random")
    run.add_argument("--save", help="where to write the weights")
    run.add_argument("--steps", type=int, default=500)
    run.add_argument("--batch-size", type=int, default=16)
    run.add_argument("--warmup", type=int, default=50, help="steps")
    run.add_argument("--learning-rate", type=float, default=8e-4)
    run.add_argument("--backbone-learning-rate", type=float, default=2e-4)
    run.add_argument("--freeze-low", action="store_true", help="the trunk up to block_3 stays as it is")
    run.add_argument("--frozen", action="store_true", help="encoder and maps stay as they are, the decoder starts at random")
    run.add_argument("--maps-weight", type=float, default=1, help="of the losses of edge, vertex and mask map")
    run.add_argument("--smooth", default="0.5", help="weight of the four neighbours in the targets, or `wide`: 1/2 and 1/4 at distances 1 and 2")
    run.add_argument("--width", type=int, nargs=2, default=(24, 16), help="channels of both layers of the decoder")
    run.add_argument("--no-maps", action="store_true", help="the decoder does not see the three maps")
    run.add_argument("--fraction", type=float, default=1, help="part of the instances to learn from; smaller parts are within larger ones")
    run.add_argument("--seed", type=int, default=1)
    again = commands.add_parser("score", help="scores saved weights again, into the result they came with")
    again.add_argument("pack")
    again.add_argument("out")
    again.add_argument("weights")
    compare = commands.add_parser("compare")
    compare.add_argument("base")
    compare.add_argument("others", nargs="*")
    return parser.parse_args()


def run(options):
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    torch.manual_seed(options.seed)
    random.seed(options.seed * 1000)
    np.random.seed(options.seed)

    net = network_of(options)
    fits = fitting(net, options.init)
    net.load_state_dict({name: value for name, value in fits.items() if not (options.frozen and name.startswith("decoder."))}, strict=False)
    net.to(memory_format=torch.channels_last)

    began = time.time()
    curve = teach(net, options)
    seconds = time.time() - began
    net.eval()
    if options.save:
        save(options.save, net.state_dict())
    rows = score(net, explore.Pack(options.pack, "val"))
    with open(options.out, "w") as out:
        json.dump({"options": vars(options), "seconds": seconds, "last100": np.mean(curve[-100:], 0).tolist(), "rows": rows}, out)


def fitting(net, path):
    """What a file of weights has for this network: names and shapes that it knows."""
    state = net.state_dict()
    return {name: value.float() for name, value in load_file(path).items() if name in state and state[name].shape == value.shape}


def save(path, tensors):
    save_file({name: value.half().contiguous().cpu() for name, value in tensors.items()}, path, {"format": "pt"})


def network_of(options):
    if not options.no_maps:
        return network.Net(*options.width)

    class WithoutMaps(network.Net):
        def gates(self, features, maps):
            return super().gates(features, maps * 0)

    return WithoutMaps(*options.width)


def teach(net, options):
    """Leaves the moving average of the weights in `net`. -> per step: loss of the steps, log-likelihood, accuracy, loss of the maps"""
    for name, value in net.named_parameters():
        if (options.frozen and not name.startswith("decoder.")) or (options.freeze_low and name.startswith(LOW_BLOCKS)):
            value.requires_grad_(False)
    taught = [(name, value) for name, value in net.named_parameters() if value.requires_grad]
    trunk = [value for name, value in taught if name.startswith("encoder.")]
    head = [value for name, value in taught if not name.startswith("encoder.")]
    groups = [group for group in ({"params": trunk, "lr": options.backbone_learning_rate}, {"params": head, "lr": options.learning_rate}) if group["params"]]
    optimizer = torch.optim.AdamW(groups, weight_decay=1e-4)
    rates = [group["lr"] for group in optimizer.param_groups]
    average = {name: value.detach().clone() for name, value in net.state_dict().items()}
    targets = smoothed(options.smooth)
    data = batches(options)
    began = time.time()
    curve = []
    for step in range(options.steps):
        share = min(1, (step + 1) / options.warmup) * (0.5 * (1 + math.cos(math.pi * step / options.steps)) + 0.01)
        for group, rate in zip(optimizer.param_groups, rates):
            group["lr"] = rate * share
        loss, parts = losses(net, next(data), targets, options)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([value for _, value in taught], 5.0)
        optimizer.step()
        decay = min(AVERAGE, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in net.state_dict().items():
                average[name].lerp_(value, 1 - decay)
        curve.append(parts)
        if (step + 1) % 50 == 0:
            speed = (step + 1) * options.batch_size / (time.time() - began)
            print(f"step {step + 1} of {options.steps}, {speed:.1f} crops/s", np.round(np.mean(curve[-50:], 0), 3).tolist(), flush=True)
    net.load_state_dict(average)
    return curve


def losses(net, batch, targets, options):
    pixels, index, edge, mask = batch
    size, length = index.shape[0], index.shape[1] - 1
    eos = network.EOS
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with torch.set_grad_enabled(not options.frozen):
            features = net.features((pixels.permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last))
            maps = net.boundary(features)
        hoisted = net.gates(features, maps)
        state = net.zeros(size, "cpu")
        placed = [network.place(index[:, at]) for at in range(length)]
        nothing = torch.zeros_like(placed[0])
        logits = []
        for at in range(length):
            seen = torch.cat([placed[0], placed[at], placed[at - 1] if at else nothing], 1)
            step_logits, state = net.step(hoisted, seen, state)
            logits.append(step_logits)
    logits = torch.stack(logits, 1).float()
    wanted = index[:, 1:]
    live = torch.cat([torch.ones(size, 1, dtype=torch.bool), wanted[:, :-1] != eos], 1)
    steps = -(targets[wanted] * F.log_softmax(logits, 2)).sum(2)[live].mean()
    of_maps = map_losses(maps, index, edge, mask)
    accuracy = (logits.argmax(2) == wanted)[live].float().mean()
    likelihood = F.cross_entropy(logits[live], wanted[live])
    loss = steps if options.frozen else steps + options.maps_weight * of_maps
    return loss, (steps.item(), likelihood.item(), accuracy.item(), of_maps.item())


def map_losses(maps, index, edge, share):
    """maps [B, 3, 28, 28] logits; index [B, T + 1]; edge and share [B, 28, 28], 0 to 1. -> sum of the cross-entropies of edge, vertex and mask map"""
    size, eos, grid = len(maps), network.EOS, network.G
    maps = maps.float()
    vertex = torch.zeros(size, eos + 1, device=maps.device).scatter_(1, index, 1.0)[:, :eos].view(size, grid, grid)
    cross_entropy = F.binary_cross_entropy_with_logits
    edge_weight, vertex_weight = torch.tensor(3.0, device=maps.device), torch.tensor(8.0, device=maps.device)
    return (cross_entropy(maps[:, 0], edge, pos_weight=edge_weight) + cross_entropy(maps[:, 1], vertex, pos_weight=vertex_weight)
            + cross_entropy(maps[:, 2], share))


def smoothed(weight):
    """[785, 785]: for each true index the target distribution; end-of-sequence is itself alone."""
    near, reach = (0.5, 2) if weight == "wide" else (float(weight), 1)
    eos, grid = network.EOS, network.G
    table = torch.zeros(eos + 1, eos + 1)
    table[eos, eos] = 1
    for index in range(eos):
        row, col = divmod(index, grid)
        for down in range(-reach, reach + 1):
            for right in range(-reach, reach + 1):
                distance = abs(down) + abs(right)
                if distance <= reach and 0 <= row + down < grid and 0 <= col + right < grid:
                    table[index, (row + down) * grid + col + right] = near**distance
        table[index] /= table[index].sum()
    return table


def batches(options):
    """Endless: six batches are drawn together, sorted by length, and dealt."""
    pack = explore.Pack(options.pack, "train")
    by_source = {source: [pack.index[at] for at in places] for source, places in by_source_of(pack.index, options.fraction).items()}
    names = [name for name in explore.WEIGHTS if name in by_source]
    odds = [explore.WEIGHTS[name] for name in names]
    size = options.batch_size
    while True:
        pool = sorted((sample(pack, by_source, names, odds) for _ in range(size * 6)), key=lambda drawn: len(drawn[1]))
        deal = [pool[at * size : (at + 1) * size] for at in range(6)]
        random.shuffle(deal)
        for part in deal:
            index, edge = targets_of([cells for _, cells, _ in part])
            pixels, mask = np.stack([crop for crop, _, _ in part]), np.stack([mask for _, _, mask in part])
            yield torch.tensor(pixels), torch.tensor(index), torch.tensor(edge).float(), torch.tensor(mask)


def by_source_of(index, fraction):
    """Places in the index by source; smaller fractions are within larger ones."""
    order = sorted(range(len(index)), key=lambda at: random.Random(f"{at}").random())
    by_source = {}
    for at in order[: round(fraction * len(order))]:
        by_source.setdefault(index[at]["source"], []).append(at)
    return by_source


def targets_of(polygons):
    """-> [B, T + 1] indices, end-of-sequence after the last; [B, 28, 28] cells on an edge"""
    grid = network.G
    index = np.full((len(polygons), max(map(len, polygons)) + 1), network.EOS, np.int64)
    edge = np.zeros((len(polygons), grid, grid), np.uint8)
    for at, cells in enumerate(polygons):
        index[at, : len(cells)] = [row * grid + col for col, row in cells]
        cv2.polylines(edge[at], [np.array(cells, np.int32)], True, 1)
    return index, edge


def sample(pack, by_source, names, odds):
    """-> crop [224, 224, 3] uint8, cells from a random first vertex, [28, 28] share of each cell inside the outline"""
    while True:
        instance = random.choice(by_source[random.choices(names, odds)[0]])
        is_flipped = random.random() < 0.5
        is_framed = random.random() < 0.6
        context = 0.15 if is_framed else random.uniform(0.08, 0.26)
        shift = (0, 0) if is_framed else (random.uniform(-0.03, 0.03), random.uniform(-0.03, 0.03))
        crop, frame = explore.crop(pack.image(instance), instance["box"], context, is_flipped, shift)
        cells = explore.to_cells(instance["ring"], frame, is_flipped, 0.45)
        if cells is None or len(cells) > explore.STEPS:
            continue
        left, top, side = frame
        ring = (np.array(instance["ring"]).reshape(-1, 2) - [left, top]) / side * 224
        if is_flipped:
            ring[:, 0] = 224 - ring[:, 0]
        mask = np.zeros((224, 224), np.float32)
        cv2.fillPoly(mask, [np.round(ring * 16).astype(np.int32)], 1.0, shift=4)
        crop = vary(crop.astype(np.float32))
        first = random.randrange(len(cells))
        return crop, cells[first:] + cells[:first], cv2.resize(mask, (network.G, network.G), interpolation=cv2.INTER_AREA)


def vary(crop):
    """Contrast, brightness, color, gray, blur, an erased square."""
    if random.random() < 0.8:
        crop = (crop - 128) * random.uniform(0.6, 1.4) + 128 + random.uniform(-30, 30)
        crop *= np.float32([random.uniform(0.88, 1.12) for _ in range(3)])
    if random.random() < 0.1:
        crop[:] = crop.mean(2, keepdims=True)
    if random.random() < 0.15:
        crop = cv2.GaussianBlur(crop, (0, 0), random.uniform(0.5, 1.6))
    if random.random() < 0.2:
        x, y, side = random.randrange(224), random.randrange(224), random.randrange(10, 50)
        crop[y : y + side, x : x + side] = random.uniform(0, 255)
    return np.clip(crop, 0, 255).astype(np.uint8)


def score(net, pack):
    """-> a row per instance"""
    rows = []
    for start in range(0, len(pack.index), 32):
        part = pack.index[start : start + 32]
        cut = [explore.crop(pack.image(instance), instance["box"], 0.15, False) for instance in part]
        pixels = torch.tensor(np.stack([crop for crop, _ in cut])).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            sequences = network.decode(net, pixels, DRAWN_STEPS).tolist()
            masks = torch.sigmoid(net.boundary(net.features(pixels))[:, 2].float()).numpy()
        rows += [row_of(instance, frame, sequence, mask) for instance, (_, frame), sequence, mask in zip(part, cut, sequences, masks)]
    return rows


def row_of(instance, frame, sequence, mask):
    """frame: left, top and side of the crop in the stored crop; sequence: indices; mask [28, 28]. -> source, IoU, vertices, IoU of the mask map"""
    left, top, side = frame
    cells = sequence[: sequence.index(network.EOS)] if network.EOS in sequence else sequence
    truth = explore.fill(np.array(instance["ring"]).reshape(-1, 2), instance["size"], SUPERSAMPLING)
    centers = np.array([[cell % network.G + 0.5, cell // network.G + 0.5] for cell in cells])
    drawn = explore.fill(centers / network.G * side + [left, top], instance["size"], SUPERSAMPLING) if len(cells) >= 3 else np.zeros_like(truth)
    return instance["source"], iou_of(drawn, truth), len(cells), iou_of(covered_by(mask, instance, frame), truth)


def covered_by(mask, instance, frame):
    """The mask map at a half as a mask over the stored crop, as `explore.fill` gives one."""
    left, top, side = frame
    size, scale = instance["size"] * SUPERSAMPLING, side / network.G * SUPERSAMPLING
    place = np.float32([[scale, 0, left * SUPERSAMPLING + scale / 2 - 0.5], [0, scale, top * SUPERSAMPLING + scale / 2 - 0.5]])
    x, y, width, height = instance["box"]
    box = explore.fill([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], instance["size"], SUPERSAMPLING)
    return (cv2.warpAffine(mask, place, (size, size), flags=cv2.INTER_LINEAR) > 0.5) & box


def iou_of(one, other):
    return float((one & other).sum() / max(1, (one | other).sum()))


def compare(options):
    """Markdown: mean IoU, the difference to the first file instance by instance with a 95 % bootstrap interval, by source."""
    def read(path):
        with open(path) as file:
            return json.load(file)

    base = read(options.base)
    sources = ["all", *dict.fromkeys(row[0] for row in base["rows"])]
    columns = [source for source in sources if source == "all" or sum(row[0] == source for row in base["rows"]) >= 100]
    print("| Run | Mean IoU | Difference, with 95 % interval |", *(f"{source} |" for source in columns[1:]), "Mask map | Difference | Vertices | Accuracy |")
    for path in (options.base, *options.others):
        result = read(path)
        iou, of_mask = (np.array([row[column] for row in result["rows"]]) for column in (1, 3))
        by_source = [iou[[row[0] == source for row in result["rows"]]].mean() for source in columns[1:]]
        gains = ["" if path == options.base else gain(values, np.array([row[column] for row in base["rows"]])) for values, column in ((iou, 1), (of_mask, 3))]
        length = np.mean([row[2] for row in result["rows"]])
        print(f"| {path} | {iou.mean():.4f} | {gains[0]} |", *(f"{mean:.3f} |" for mean in by_source),
              f"{of_mask.mean():.4f} | {gains[1]} | {length:.1f} | {result['last100'][2]:.3f} |")


def gain(values, base):
    """Mean difference with its 95 % bootstrap interval."""
    differences = values - base
    drawn = np.random.default_rng(1).integers(0, len(differences), (2000, len(differences)))
    low, high = np.percentile(differences[drawn].mean(1), [2.5, 97.5])
    return f"{differences.mean():+.4f} [{low:+.4f}, {high:+.4f}]"


def score_again(options):
    with open(options.out) as file:
        result = json.load(file)
    net = network_of(argparse.Namespace(**result["options"]))
    net.load_state_dict({name: value.float() for name, value in load_file(options.weights).items()})
    net.eval().to(memory_format=torch.channels_last)
    result["rows"] = score(net, explore.Pack(options.pack, "val"))
    with open(options.out, "w") as out:
        json.dump(result, out)


if __name__ == "__main__":
    arguments = parse()
    {"run": run, "score": score_again, "compare": compare}[arguments.command](arguments)
