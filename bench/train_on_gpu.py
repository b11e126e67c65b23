"""Minutes of training on one GPU, as `mobile` 0.4.0 was made; the program itself needs none of this.

    export PYTHONPATH=../shared/tools/explore
    python ../shared/tools/explore/pack.py DATA PACK --size 288 --quality 74      (caps per source lifted, training area from 400 px)
    python bench/train_on_gpu.py train PACK RUN --init models/mobile/model.safetensors --seconds 315
    python bench/train_on_gpu.py mean model.safetensors RUN/average.safetensors before.safetensors

Only outlines are handled on the CPU, by several processes. All crops of the pack lie in the GPU's memory (5.6 GB for 17,000), with the
object's mask as a fourth channel; what turns, moves, pastes and tints them happens there. RUN gets the moving average of the weights,
`log.ndjson` and `rows.json`, which `bench/tune.py compare` reads. `network` and `train` are those of the exploration trainer: its network is
`mobile`, its weights carry the program's names. Needs torch, safetensors and opencv; without a GPU it runs on the CPU, for a trial.
"""
import argparse
import json
import math
import mmap
import multiprocessing
import os
import random
import time

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

import network
import train as explore
import tune

STORED = 288
CROP = 224
CONTEXT = 0.15
TOLERANCE = 0.45
POOLED_BATCHES = 4
SHARES = {"coco": 0.34, "facade": 0.24, "people": 0.2, "carparts": 0.13, "video": 0.03, "street": 0.03, "nuclei": 0.02, "humans": 0.01}
FORK = multiprocessing.get_context("fork")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("train")
    run.add_argument("pack")
    run.add_argument("out")
    run.add_argument("--init", required=True, help="weights to start from; what is not in it starts at random")
    run.add_argument("--seconds", type=float, default=0, help="counted from the third step, without the time for validation")
    run.add_argument("--steps", type=int, default=0, help="instead of seconds")
    run.add_argument("--batch", type=int, default=256)
    run.add_argument("--lr", type=float, default=2e-3)
    run.add_argument("--trunk-lr", type=float, default=4e-4)
    run.add_argument("--weight-decay", type=float, default=0.01)
    run.add_argument("--average", type=float, default=0.999, help="decay of the moving average of the weights")
    run.add_argument("--warmup", type=int, default=200, help="steps")
    run.add_argument("--framed", type=float, nargs=2, default=(0.6, 0.8), help="part of the crops framed as in prediction, at first and in the end")
    run.add_argument("--paste", type=float, default=0.2, help="part of the objects pasted onto another image")
    run.add_argument("--clutter", type=float, default=0.25, help="part of the crops with another object pasted behind theirs")
    run.add_argument("--astray", type=float, default=0.1, help="part of the vertices that the decoder sees one cell off")
    run.add_argument("--fraction", type=float, default=1, help="part of the instances to learn from; smaller parts are within larger ones")
    run.add_argument("--limit", type=int, default=0, help="instances that are loaded at all, for a trial")
    run.add_argument("--workers", type=int, default=14)
    run.add_argument("--compile", action="store_true", help="the decoder's step through torch.compile")
    run.add_argument("--judge-every", type=float, default=100, help="seconds")
    run.add_argument("--seed", type=int, default=1)
    mean = commands.add_parser("mean")
    mean.add_argument("out")
    mean.add_argument("weights", nargs="+")
    return parser.parse_args()


def mean_of(options):
    tensors = [load_file(path) for path in options.weights]
    save(options.out, {name: sum(each[name].float() for each in tensors) / len(tensors) for name in tensors[0]})


def save(path, tensors):
    save_file({name: value.half().contiguous().cpu() for name, value in tensors.items()}, path, {"format": "pt"})


class Crops:
    """The crops of one split. index: from the pack, rings as arrays; pixels [n, 288, 288, 4] uint8, RGB and the object's mask, top left."""

    def __init__(self, folder, split, limit):
        pack = explore.Pack(folder, split)
        self.index = pack.index[:limit] if limit else pack.index
        self.pixels = np.frombuffer(mmap.mmap(-1, len(self.index) * STORED * STORED * 4), np.uint8).reshape(-1, STORED, STORED, 4)
        count = os.cpu_count()
        jobs = [FORK.Process(target=self.decode, args=(pack, range(at, len(self.index), count))) for at in range(count)]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
        if any(job.exitcode for job in jobs):
            raise SystemExit(f"{folder}: crops of {split} could not be decoded")
        for instance in self.index:
            instance["ring"] = np.array(instance["ring"], np.float32).reshape(-1, 2)

    def decode(self, pack, part):
        cv2.setNumThreads(0)
        for at in part:
            instance = self.index[at]
            crop = pack.image(instance)
            size = crop.shape[0]
            self.pixels[at, :size, :size, :3] = crop
            self.pixels[at, :size, :size, 3] = filled(np.array(instance["ring"]).reshape(-1, 2), size)

    def to(self, device):
        self.pixels = torch.from_numpy(self.pixels).to(device)
        self.sizes = torch.tensor([instance["size"] for instance in self.index], device=device)


def filled(points, size):
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [np.round((points - 0.5) * 16).astype(np.int32)], 255, shift=4)
    return mask


def turned(angle, stretch, is_flipped):
    """[2, 2]"""
    cos, sin = math.cos(angle), math.sin(angle)
    return np.diag([-1.0 if is_flipped else 1.0, 1.0]) @ np.array([[cos, -sin], [sin, cos]]) @ np.diag([stretch, 1 / stretch])


def window(linear, center, box, context, shift=(0, 0)):
    """-> [2, 3], from positions in the 224 crop to positions in the stored crop; and the way back, for points"""
    x, y, width, height = box
    side = max(width, height) * (1 + context)
    corner = np.array([x + width / 2 - side / 2 + shift[0] * side, y + height / 2 - side / 2 + shift[1] * side])
    scale = side / CROP
    inverse = np.linalg.inv(linear)
    back = np.concatenate([inverse * scale, (inverse @ corner + center)[:, None]], 1).astype(np.float32)
    return back, lambda points: ((points - center) @ linear.T - corner) / scale


def as_predicted(instance, linear=np.eye(2)):
    x, y, width, height = instance["box"]
    return window(linear, np.array([x + width / 2, y + height / 2]), (-width / 2, -height / 2, width, height), CONTEXT)


def target(instance, is_framed):
    """-> map into the stored crop, cells, [28, 28] share of each cell inside the outline; None where the outline is no polygon on the grid"""
    is_flipped = random.random() < 0.5
    if is_framed:
        back, forward = as_predicted(instance, turned(0, 1, is_flipped))
    else:
        x, y, width, height = instance["box"]
        center = np.array([x + width / 2, y + height / 2])
        angle = random.uniform(-0.35, 0.35) if random.random() < 0.6 else 0
        stretch = math.exp(random.uniform(-0.2, 0.2)) if random.random() < 0.6 else 1
        linear = turned(angle, stretch, is_flipped)
        ring = (instance["ring"] - center) @ linear.T
        low, high = ring.min(0), ring.max(0)
        shift = (random.uniform(-0.03, 0.03), random.uniform(-0.03, 0.03))
        back, forward = window(linear, center, (*low, *(high - low)), random.uniform(0.08, 0.24), shift)
    points = forward(instance["ring"])
    cells = explore.to_cells(points, (0, 0, CROP), False, TOLERANCE)
    if cells is None or len(cells) > explore.STEPS:
        return None
    return back, cells, cv2.resize(filled(points, CROP), (network.G, network.G), interpolation=cv2.INTER_AREA)


def behind(instance, is_clutter):
    """-> map into the stored crop of an image for the background, or of a smaller object somewhere in the crop"""
    x, y, width, height = instance["box"]
    reach = 0.45 if is_clutter else 0.1
    context = random.uniform(0.3, 2.5) if is_clutter else random.uniform(-0.3, 0.3)
    shift = (random.uniform(-reach, reach), random.uniform(-reach, reach))
    linear = turned(random.uniform(-0.3, 0.3), 1, random.random() < 0.5)
    return window(linear, np.array([x + width / 2, y + height / 2]), (-width / 2, -height / 2, width, height), context, shift)[0]


class Batches(IterableDataset):
    """Endless: four batches are drawn together, sorted by length, and dealt. Which instance, which window, which cells; no pixels."""

    def __init__(self, index, options, progress):
        self.index, self.options, self.progress = index, options, progress

    def __iter__(self):
        worker = get_worker_info()
        seed = self.options.seed * 1000 + (worker.id if worker else 0)
        random.seed(seed)
        np.random.seed(seed)
        cv2.setNumThreads(0)
        torch.set_num_threads(1)
        self.by_source = {}
        order = sorted(range(len(self.index)), key=lambda at: random.Random(f"{at}").random())
        for at in order[: round(self.options.fraction * len(order))]:
            self.by_source.setdefault(self.index[at]["source"], []).append(at)
        self.names = [name for name in SHARES if name in self.by_source]
        self.odds = [SHARES[name] for name in self.names]
        size = self.options.batch
        while True:
            pool = sorted((self.sample() for _ in range(size * POOLED_BATCHES)), key=lambda drawn: len(drawn[2]))
            deal = [pool[at * size : (at + 1) * size] for at in range(POOLED_BATCHES)]
            random.shuffle(deal)
            for part in deal:
                yield batch_of(part)

    def pick(self):
        return random.choice(self.by_source[random.choices(self.names, self.odds)[0]])

    def sample(self):
        options = self.options
        first, last = options.framed
        while True:
            at = self.pick()
            drawn = target(self.index[at], random.random() < first + (last - first) * self.progress.value)
            if drawn is None:
                continue
            back, cells, share = drawn
            start = random.randrange(len(cells))
            used = [at, -1, -1]
            maps = np.zeros((3, 2, 3), np.float32)
            maps[0] = back
            for slot, part in ((1, options.paste), (2, options.clutter)):
                if random.random() < part:
                    used[slot] = self.pick()
                    maps[slot] = behind(self.index[used[slot]], slot == 2)
            return used, maps, cells[start:] + cells[:start], share


def batch_of(part):
    """-> [B, 3] instances: object, background, clutter (-1: none); [B, 3, 2, 3] their maps; [B, T + 1] cells; [B, 28, 28] edge, share"""
    index = np.full((len(part), max(len(cells) for _, _, cells, _ in part) + 1), network.EOS, np.int64)
    edge = np.zeros((len(part), network.G, network.G), np.uint8)
    for at, (_, _, cells, _) in enumerate(part):
        index[at, : len(cells)] = [row * network.G + col for col, row in cells]
        cv2.polylines(edge[at], [np.array(cells, np.int32)], True, 1)
    used, maps, _, shares = zip(*part)
    return torch.tensor(used), torch.tensor(np.stack(maps)), torch.tensor(index), torch.tensor(edge), torch.tensor(np.stack(shares))


def warp(crops, used, maps):
    """[n] instances, [n, 2, 3] -> [n, 4, 224, 224], 0 to 255; beyond the stored crop its border goes on"""
    along = torch.arange(CROP, device=used.device, dtype=torch.float32) + 0.5
    at = maps[:, None, None, :, 0] * along[None, None, :, None] + maps[:, None, None, :, 1] * along[None, :, None, None] + maps[:, None, None, :, 2] - 0.5
    at = torch.minimum(at.clamp(min=0), (crops.sizes[used].float() - 1)[:, None, None, None])
    return F.grid_sample(crops.pixels[used].permute(0, 3, 1, 2).float(), at * (2 / (STORED - 1)) - 1, mode="bilinear", align_corners=True)


def pixels_of(crops, used, maps):
    """-> [n, 3, 224, 224], 0 to 255"""
    warped = warp(crops, used[:, 0], maps[:, 0])
    pixels, alpha = warped[:, :3], warped[:, 3:] / 255
    for slot in (1, 2):
        rows = (used[:, slot] >= 0).nonzero()[:, 0]
        if len(rows) == 0:
            continue
        other = warp(crops, used[rows, slot], maps[rows, slot])
        kept = alpha[rows] if slot == 1 else 1 - (1 - alpha[rows]) * other[:, 3:] / 255
        pixels = pixels.index_copy(0, rows, pixels[rows] * kept + other[:, :3] * (1 - kept))
    return pixels


def vary(pixels):
    """Contrast, brightness, color, gray, blur, noise, an erased square."""
    count, device = len(pixels), pixels.device

    def uniform(low, high, *shape):
        return torch.rand(*shape, device=device) * (high - low) + low

    def some(part):
        return torch.rand(count, 1, 1, 1, device=device) < part

    toned = ((pixels - 128) * uniform(0.6, 1.4, count, 1, 1, 1) + 128 + uniform(-30, 30, count, 1, 1, 1)) * uniform(0.88, 1.12, count, 3, 1, 1)
    pixels = torch.where(some(0.8), toned, pixels)
    pixels = torch.where(some(0.1), pixels.mean(1, keepdim=True), pixels)
    rows = torch.randperm(count, device=device)[: count // 7]
    if len(rows) > 0:
        pixels = pixels.index_copy(0, rows, blurred(pixels[rows], random.uniform(0.5, 1.6)))
    pixels = pixels + torch.randn_like(pixels) * some(0.2) * uniform(0, 8, count, 1, 1, 1)
    along = torch.arange(CROP, device=device)
    left, top = uniform(0, CROP, count, 1, 1, 1), uniform(0, CROP, count, 1, 1, 1)
    side = uniform(10, 50, count, 1, 1, 1) * some(0.2)
    hole = (along >= left) & (along < left + side) & (along[:, None] >= top) & (along[:, None] < top + side)
    return torch.where(hole, uniform(0, 255, count, 1, 1, 1), pixels).clamp(0, 255)


def blurred(pixels, sigma):
    along = torch.arange(-4, 5, device=pixels.device).float()
    kernel = torch.exp(-along * along / (2 * sigma * sigma))
    kernel = kernel / kernel.sum()
    planes = F.pad(pixels.flatten(0, 1)[:, None], (4, 4, 4, 4), mode="replicate")
    return F.conv2d(F.conv2d(planes, kernel[None, None, None]), kernel[None, None, :, None]).view(pixels.shape)


def prepared(pixels):
    return (pixels / 127.5 - 1).contiguous(memory_format=torch.channels_last)


class Teacher:
    """The network, its optimizer, the moving average of its weights, and what a batch of them costs."""

    def __init__(self, options, device):
        self.options, self.device = options, device
        self.net = network.Net().to(device)
        state = self.net.state_dict()
        start = {name: value.float() for name, value in load_file(options.init).items() if name in state and state[name].shape == value.shape}
        self.net.load_state_dict(start, strict=False)
        self.net.to(memory_format=torch.channels_last)
        self.names, self.weights = zip(*self.net.named_parameters())
        self.data = [value.data for value in self.weights]
        self.average = [value.detach().clone() for value in self.weights]
        trunk = [value for name, value in zip(self.names, self.weights) if name.startswith("encoder.")]
        head = [value for name, value in zip(self.names, self.weights) if not name.startswith("encoder.")]
        groups = [{"params": trunk, "lr": options.trunk_lr}, {"params": head, "lr": options.lr}]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=options.weight_decay, betas=(0.9, 0.99), fused=device.type == "cuda")
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.targets = explore.smoothing(device)
        self.placed = network.place(torch.arange(network.EOS + 1)).to(device, torch.bfloat16)
        self.step = torch.compile(self.net.step, dynamic=False) if options.compile else self.net.step
        self.steps = 0

    def astray(self, index):
        """Some cells moved by one, so that a polygon learns to go on from where its drawing is a little off."""
        near = torch.tensor([[-1, 0], [1, 0], [0, -1], [0, 1]], device=self.device)
        move = near[torch.randint(4, index.shape, device=self.device)]
        row = (index // network.G + move[..., 0]).clamp(0, network.G - 1)
        col = (index % network.G + move[..., 1]).clamp(0, network.G - 1)
        return torch.where((torch.rand(index.shape, device=self.device) < self.options.astray) & (index < network.EOS), row * network.G + col, index)

    def losses(self, crops, batch):
        """-> cross-entropy of the steps, sum of the three maps' cross-entropies, accuracy of a step"""
        used, places, index, edge, share = (each.to(self.device, non_blocking=True) for each in batch)
        size, length = index.shape[0], index.shape[1] - 1
        with torch.no_grad():
            pixels = prepared(vary(pixels_of(crops, used, places)))
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            features = self.net.features(pixels)
            maps = self.net.boundary(features)
            hoisted = self.net.gates(features, maps)
            first, seen = self.placed[index[:, 0]], self.placed[self.astray(index)]
            seen = [first, *(seen[:, at] for at in range(1, length))]
            state = self.net.zeros(size, self.device)
            logits = []
            for at in range(length):
                before = seen[at - 1] if at else torch.zeros_like(first)
                step_logits, state = self.step(hoisted, torch.cat([first, seen[at], before], 1), state)
                logits.append(step_logits)
        logits, maps, wanted = torch.stack(logits, 1).float(), maps.float(), index[:, 1:]
        live = torch.cat([torch.ones(size, 1, dtype=torch.bool, device=self.device), wanted[:, :-1] != network.EOS], 1).float()
        of_steps = (-(self.targets[wanted] * F.log_softmax(logits, 2)).sum(2) * live).sum() / live.sum()
        vertex = torch.zeros(size, network.EOS + 1, device=self.device).scatter_(1, index, 1.0)[:, : network.EOS].view(size, network.G, network.G)
        cross_entropy = F.binary_cross_entropy_with_logits
        weight = lambda value: torch.tensor(value, device=self.device)
        of_maps = (cross_entropy(maps[:, 0], edge.float(), pos_weight=weight(3.0)) + cross_entropy(maps[:, 1], vertex, pos_weight=weight(8.0))
                   + cross_entropy(maps[:, 2], share.float() / 255))
        return of_steps, of_maps, ((logits.argmax(2) == wanted) * live).sum() / live.sum()

    def learn(self, crops, batch, spent):
        """One step; spent: part of the training that is over. -> [3], as `losses`"""
        rate = min(1, (self.steps + 1) / self.options.warmup) * (0.5 * (1 + math.cos(math.pi * spent)) + 0.005)
        for group, base in zip(self.optimizer.param_groups, self.rates):
            group["lr"] = base * rate
        of_steps, of_maps, accuracy = self.losses(crops, batch)
        self.optimizer.zero_grad(set_to_none=True)
        (of_steps + of_maps).backward()
        torch.nn.utils.clip_grad_norm_(self.weights, 5.0)
        self.optimizer.step()
        self.steps += 1
        torch._foreach_lerp_(self.average, self.data, 1 - min(self.options.average, (1 + self.steps) / (10 + self.steps)))
        return torch.stack([of_steps.detach(), of_maps.detach(), accuracy])

    @torch.no_grad()
    def judge(self, crops, pool):
        """One greedy polygon per crop with the averaged weights. -> a row of `tune` per instance"""
        kept = [value.clone() for value in self.data]
        torch._foreach_copy_(self.data, self.average)
        jobs = []
        for start in range(0, len(crops.index), self.options.batch):
            part = crops.index[start : start + self.options.batch]
            frames = [as_predicted(instance)[0] for instance in part]
            used = torch.arange(start, start + len(part), device=self.device)
            pixels = prepared(warp(crops, used, torch.tensor(np.stack(frames), device=self.device))[:, :3])
            with torch.autocast(self.device.type, dtype=torch.bfloat16):
                sequences = network.decode(self.net, pixels, tune.DRAWN_STEPS).tolist()
                masks = torch.sigmoid(self.net.boundary(self.net.features(pixels))[:, 2].float()).cpu().numpy()
            jobs += zip(part, [(back[0, 2], back[1, 2], back[0, 0] * CROP) for back in frames], sequences, masks)
        torch._foreach_copy_(self.data, kept)
        return pool.starmap(tune.row_of, jobs, chunksize=32)

    def save(self, path):
        save(path, dict(zip(self.names, self.average)))


def means_of(rows):
    by_source = {}
    for source, iou, *_ in rows:
        by_source.setdefault(source, []).append(iou)
    return {"all": np.mean([row[1] for row in rows]).item(), **{source: np.mean(ious).item() for source, ious in by_source.items()}}


def train(options):
    if (options.seconds > 0) == (options.steps > 0):
        raise SystemExit("expected either --seconds or --steps")
    torch.manual_seed(options.seed)
    random.seed(options.seed)
    os.makedirs(options.out, exist_ok=True)
    taught, held = Crops(options.pack, "train", options.limit), Crops(options.pack, "val", options.limit)
    # Processes are forked before the GPU is touched.
    progress = FORK.Value("d", 0.0)
    pool = FORK.Pool(os.cpu_count())
    loading = {"num_workers": options.workers, "prefetch_factor": 4, "multiprocessing_context": "fork"} if options.workers else {}
    batches = iter(DataLoader(Batches(taught.index, options, progress), batch_size=None, pin_memory=torch.cuda.is_available(), **loading))
    batch = next(batches)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    taught.to(device)
    held.to(device)
    teacher = Teacher(options, device)
    with open(f"{options.out}/log.ndjson", "w") as log:
        rows, parts = teach(teacher, taught, held, pool, batches, batch, progress, options, log)
    teacher.save(f"{options.out}/average.safetensors")
    of_steps, of_maps, accuracy = parts
    with open(f"{options.out}/rows.json", "w") as out:
        json.dump({"options": vars(options), "crops": teacher.steps * options.batch, "rows": rows, "last100": [of_steps, None, accuracy, of_maps]}, out)
    pool.terminate()


def teach(teacher, taught, held, pool, batches, batch, progress, options, log):
    """-> rows of the last judgement; means of the last hundred steps"""
    def note(**line):
        print(json.dumps(line), flush=True)
        log.write(json.dumps(line) + "\n")
        log.flush()

    recent = []
    began = judged = time.time()
    while (spent := teacher.steps / options.steps if options.steps else (time.time() - began) / options.seconds) < 1:
        progress.value = spent
        recent = [*recent[-99:], teacher.learn(taught, batch, spent)]
        batch = next(batches)
        if teacher.steps == 3:
            # Kernels are loaded and compiled during the first steps.
            recent[-1].tolist()
            began = judged = time.time()
        if teacher.steps % 100 == 0:
            of_steps, of_maps, accuracy = torch.stack(recent).mean(0).tolist()
            seconds = time.time() - began
            note(step=teacher.steps, seconds=seconds, crops_per_second=(teacher.steps - 3) * options.batch / seconds, steps=of_steps, maps=of_maps, accuracy=accuracy)
            if not math.isfinite(of_steps + of_maps):
                raise SystemExit(f"the loss is not finite before step {teacher.steps}")
        if time.time() - judged > options.judge_every:
            now = time.time()
            note(step=teacher.steps, iou=means_of(teacher.judge(held, pool)))
            teacher.save(f"{options.out}/average.safetensors")
            judged = time.time()
            began += judged - now
    rows = teacher.judge(held, pool)
    note(step=teacher.steps, iou=means_of(rows))
    return rows, torch.stack(recent).mean(0).tolist()


if __name__ == "__main__":
    arguments = parse()
    train(arguments) if arguments.command == "train" else mean_of(arguments)
