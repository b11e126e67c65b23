"""Minutes of training on one GPU, as `mobile` 0.4.0 was made; the program itself needs none of this.

    export PYTHONPATH=../shared/tools/explore
    python ../shared/tools/explore/pack.py DATA PACK --size 288 --quality 74      (caps per source lifted, training area from 400 px)
    python bench/train_on_gpu.py train PACK RUN --init models/mobile/model.safetensors --seconds 315
    python bench/train_on_gpu.py mean model.safetensors RUN/average.safetensors before.safetensors

Only outlines are handled on the CPU, by several processes. All crops of the pack lie in the GPU's memory (5.6 GB for 17,000), with the
object's mask as a fourth channel; what turns, moves, pastes and tints them happens there (gpu_crops.py). RUN gets the moving average of the weights,
`log.ndjson` and `rows.json`, which `bench/tune.py compare` reads. `network` and `train` are those of the exploration trainer: its network is
`mobile`, its weights carry the program's names. Needs torch, safetensors and opencv; without a GPU it runs on the CPU, for a trial.
"""
import argparse
import json
import math
import os
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch.utils.data import DataLoader

import network
import train as explore
import tune
from gpu_crops import CROP, FORK, Batches, Crops, as_predicted, pixels_of, vary, warp


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("train")
    run.add_argument("pack")
    run.add_argument("out")
    run.add_argument("--init", required=True, help="weights to start from; what is not in it starts at random")
    run.add_argument("--seconds", type=float, default=0, help="counted from the third step, without the time for validation")
    run.add_argument("--steps", type=int, default=0, help="instead of seconds")
    run.add_argument("--batch-size", type=int, default=256)
    run.add_argument("--learning-rate", type=float, default=2e-3)
    run.add_argument("--backbone-learning-rate", type=float, default=4e-4)
    run.add_argument("--weight-decay", type=float, default=0.01)
    run.add_argument("--ema", type=float, default=0.999, help="decay of the moving average of the weights")
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
    tune.save(options.out, {name: sum(each[name].float() for each in tensors) / len(tensors) for name in tensors[0]})


def prepared(pixels):
    return (pixels / 127.5 - 1).contiguous(memory_format=torch.channels_last)


class Teacher:
    """The network, its optimizer, the moving average of its weights, and what a batch of them costs."""

    def __init__(self, options, device):
        self.options, self.device = options, device
        self.net = network.Net().to(device)
        self.net.load_state_dict(tune.fitting(self.net, options.init), strict=False)
        self.net.to(memory_format=torch.channels_last)
        self.names, self.weights = zip(*self.net.named_parameters())
        self.data = [value.data for value in self.weights]
        self.average = [value.detach().clone() for value in self.weights]
        trunk = [value for name, value in zip(self.names, self.weights) if name.startswith("encoder.")]
        head = [value for name, value in zip(self.names, self.weights) if not name.startswith("encoder.")]
        groups = [{"params": trunk, "lr": options.backbone_learning_rate}, {"params": head, "lr": options.learning_rate}]
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
        logits, wanted = torch.stack(logits, 1).float(), index[:, 1:]
        live = torch.cat([torch.ones(size, 1, dtype=torch.bool, device=self.device), wanted[:, :-1] != network.EOS], 1).float()
        of_steps = (-(self.targets[wanted] * F.log_softmax(logits, 2)).sum(2) * live).sum() / live.sum()
        of_maps = tune.map_losses(maps, index, edge.float(), share.float() / 255)
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
        torch._foreach_lerp_(self.average, self.data, 1 - min(self.options.ema, (1 + self.steps) / (10 + self.steps)))
        return torch.stack([of_steps.detach(), of_maps.detach(), accuracy])

    @torch.no_grad()
    def judge(self, crops, pool):
        """One greedy polygon per crop with the averaged weights. -> a row of `tune` per instance"""
        kept = [value.clone() for value in self.data]
        torch._foreach_copy_(self.data, self.average)
        jobs = []
        for start in range(0, len(crops.index), self.options.batch_size):
            part = crops.index[start : start + self.options.batch_size]
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
        tune.save(path, dict(zip(self.names, self.average)))


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
        json.dump({"options": vars(options), "crops": teacher.steps * options.batch_size, "rows": rows, "last100": [of_steps, None, accuracy, of_maps]}, out)
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
            note(step=teacher.steps, seconds=seconds, crops_per_second=(teacher.steps - 3) * options.batch_size / seconds, steps=of_steps, maps=of_maps, accuracy=accuracy)
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
