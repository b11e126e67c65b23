"""What `train_on_gpu.py` learns from: which crops, drawn by several processes on the CPU, and their pixels, made on the GPU."""
import math
import mmap
import multiprocessing
import os
import random

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import IterableDataset, get_worker_info

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
        self.by_source = tune.by_source_of(self.index, self.options.fraction)
        self.names = [name for name in SHARES if name in self.by_source]
        self.odds = [SHARES[name] for name in self.names]
        size = self.options.batch_size
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
    used, maps, polygons, shares = zip(*part)
    index, edge = tune.targets_of(polygons)
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
