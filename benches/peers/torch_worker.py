"""PyTorch's side of the comparison: `torch_worker.py probe`, or `torch_worker.py PEER WORK`.

PEER is torch-DEVICE[-PRECISION]-MODE (torch-cpu-eager, torch-cuda-tf32-compile), WORK the JSON of
`Work` in src/work.rs. One JSON object a line on stdout; see src/serve.rs for the conversation.
"""
import contextlib
import ctypes
import gc
import json
import os
import platform
import shutil
import sys
import time

import torch
import torch.nn.functional as F

from catanet_torch import CATANet

LR = 2e-4
LONG_ENOUGH = 0.02  # seconds: kernels are repeated until a run takes that
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever else is printed goes beside the conversation


def answer(**values):
    print(json.dumps(values), file=answers, flush=True)


def probe():
    compilers = [os.environ.get("CXX"), "g++", "clang++", "cl"]
    cuda = torch.cuda.is_available()
    answer(
        version=torch.__version__,
        cuda=torch.cuda.get_device_name() if cuda else None,
        compiler=any(shutil.which(c) for c in compilers if c),
    )


def of_process(key):
    """VmRSS or VmHWM, bytes; None where there is no /proc."""
    with contextlib.suppress(OSError), open("/proc/self/status") as status:
        for line in status:
            if line.startswith(key):
                return int(line.split()[1]) * 1024


def forget_peak():
    """Begins a new peak, after giving back what compiling has left free."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")


class Contestant:
    """One work, set up in one way; `self.run()` does it once."""

    def __init__(self, peer, work):
        _, self.device, *precision, self.mode = peer.split("-")
        self.precision = precision[0] if precision else "fp32"
        self.half = self.precision == "fp16"
        tf32 = self.precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        torch.manual_seed(0)
        if self.device == "cuda":
            torch.zeros(1, device="cuda")  # the context is not the work's
        self.before = of_process("VmRSS")
        kind = work.pop("kind")
        torch.backends.cudnn.benchmark = kind != "start"  # a search for the fastest takes long
        self.is_kernel = kind not in ("forward", "train", "start")
        self.run = getattr(self, kind)(**work)

    def autocast(self):
        return torch.autocast(self.device, torch.float16, enabled=self.half)

    def synchronize(self):
        if self.device == "cuda":
            torch.cuda.synchronize()

    def seconds(self, repeats, run=None):
        self.synchronize()
        start = time.perf_counter()
        for _ in range(repeats):
            (run or self.run)()
        self.synchronize()
        return (time.perf_counter() - start) / repeats

    def peak(self):
        if self.device == "cuda":
            # A graph's memory is its own: only the reserved bytes tell of it.
            graphs = self.mode == "graphs"
            return torch.cuda.max_memory_reserved() if graphs else torch.cuda.max_memory_allocated()
        highest = of_process("VmHWM")
        return highest and max(0, highest - self.before)

    def forget_peak(self):
        if self.device == "cuda" and self.mode != "graphs":
            torch.cuda.reset_peak_memory_stats()
        elif self.device == "cpu":
            forget_peak()

    def network(self, scale):
        net = CATANet(scale).to(self.device)
        return net if self.mode == "eager" else torch.compile(
            net, dynamic=False, mode="reduce-overhead" if self.mode == "graphs" else None
        )

    def forward(self, scale, height, width):
        net = self.network(scale).eval()
        x = torch.rand(1, 3, height, width, device=self.device)

        def run():
            with torch.inference_mode(), self.autocast():
                return net(x)

        return run

    def start(self, scale, side, cold):
        return self.forward(scale, side, side)

    def train(self, scale, batch, side):
        net = self.network(scale).train()
        adam = torch.optim.Adam(net.parameters(), lr=LR, betas=(0.9, 0.99), fused=True)
        scaler = torch.amp.GradScaler(self.device, enabled=self.half)
        x = torch.rand(batch, 3, side, side, device=self.device)
        target = torch.rand(batch, 3, side * scale, side * scale, device=self.device)

        def run():
            adam.zero_grad(set_to_none=True)
            with self.autocast():
                loss = F.l1_loss(net(x), target)
            scaler.scale(loss).backward()
            scaler.step(adam)
            scaler.update()

        return run

    # Kernels: plain inference, tensors of the precision itself rather than autocast to it.

    def tensor(self, *shape):
        return torch.rand(*shape, device=self.device, dtype=torch.half if self.half else None) - 0.5

    def kernel(self, function, *tensors, **options):
        def run():
            with torch.inference_mode():
                return function(*tensors, **options)

        return run

    def linear(self, rows, inputs, outputs, bias):
        x, w = self.tensor(rows, inputs), self.tensor(outputs, inputs)
        return self.kernel(F.linear, x, w, self.tensor(outputs) if bias else None)

    def convolution(self, x, w, bias, **options):
        """In the memory format that is faster here."""
        formats = (torch.contiguous_format, torch.channels_last)
        runs = [
            self.kernel(F.conv2d, x.to(memory_format=f), w.to(memory_format=f), bias, **options)
            for f in formats
        ]
        return min(runs, key=lambda run: (self.seconds(5, run), self.seconds(20, run))[1])

    def conv3x3(self, side, inputs, outputs):
        x, w = self.tensor(1, inputs, side, side), self.tensor(outputs, inputs, 3, 3)
        return self.convolution(x, w, self.tensor(outputs), padding=1)

    def depthwise5x5(self, side, channels):
        x, w = self.tensor(1, channels, side, side), self.tensor(channels, 1, 5, 5)
        return self.convolution(x, w, self.tensor(channels), padding=2, groups=channels)

    def layer_norm(self, rows, channels):
        w, b = self.tensor(channels), self.tensor(channels)
        return self.kernel(F.layer_norm, self.tensor(rows, channels), (channels,), w, b)

    def attention(self, windows, tokens, heads, dk, dv):
        q, k, v = (self.tensor(windows, heads, tokens, d) for d in (dk, dk, dv))
        return self.kernel(F.scaled_dot_product_attention, q, k, v)


def serve(peer, work):
    kind = work["kind"]
    contestant = Contestant(peer, work)
    contestant.seconds(1)  # compiles
    ready = torch.cuda.get_device_name() if contestant.device == "cuda" else platform.machine()
    if kind == "start":
        return answer(ready=ready)
    contestant.seconds(1)  # records a graph
    repeats = 1
    while contestant.is_kernel and contestant.seconds(repeats) * repeats < LONG_ENOUGH:
        repeats *= 2
    contestant.forget_peak()
    answer(ready=ready)
    for line in sys.stdin:
        if line.strip() == "run":
            answer(seconds=contestant.seconds(repeats))
        else:
            answer(bytes=contestant.peak())


def main():
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    if sys.argv[1] == "probe":
        return probe()
    try:
        serve(sys.argv[1], json.loads(sys.argv[2]))
    except Exception as error:  # the row says why, and the others go on
        import traceback

        traceback.print_exc()
        lines = str(error).strip().splitlines() or [""]
        answer(failed=f"{type(error).__name__}: {lines[0]}"[:300])


main()
