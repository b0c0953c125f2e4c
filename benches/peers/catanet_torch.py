"""CATANet in PyTorch, the way its authors wrote it: what our network is measured beside.

Parameters have the published names. Centres are those of a trained network: the branch that pools
them in the very first step is left out, which only helps PyTorch (no look at a flag on the device).
Images are [B, 3, H, W] in [0, 1], tokens [B, N, C] with N = H*W.
"""
import torch
import torch.nn.functional as F
from torch import nn

DIM, QK_DIM, MLP_DIM, HEADS = 40, 36, 96, 4
WINDOWS = [16, 20, 24, 28] * 2
CENTRES = [16, 32, 64, 128] * 2
GROUPS = [256, 128, 64, 32] * 2
REFINEMENTS = 5
EMA = 0.999


def unit(x):
    return F.normalize(x, dim=-1)


def heads(x):
    return x.unflatten(-1, (HEADS, -1)).transpose(-3, -2)  # [.., N, H*d] -> [.., H, N, d]


def merge(x):
    return x.transpose(-3, -2).flatten(-2)  # [.., H, N, d] -> [.., N, H*d]


def tokens(x):
    return x.flatten(2).transpose(1, 2)  # [B, C, H, W] -> [B, N, C]


def image(x, size):
    return x.transpose(1, 2).unflatten(2, size)  # [B, N, C] -> [B, C, H, W]


def nearest(x, centres):
    return torch.einsum("bnc,mc->bnm", x, centres).argmax(-1)  # [B, N]


def refine(x, centres):
    """The unit sums of the unit tokens x [B, N, C] that each centre [M, C] is nearest to."""
    (b, n, c), m = x.shape, len(centres)
    owner = nearest(x, centres)
    count = owner.new_zeros(b, m).scatter_add_(1, owner, torch.ones_like(owner)).sum(0)
    total = x.new_zeros(b, m, c).scatter_add_(1, owner.unsqueeze(-1).expand(b, n, c), x).sum(0)
    return torch.where((count == 0).unsqueeze(-1), centres, unit(total).to(x.dtype))


class PreNorm(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.norm, self.fn = nn.LayerNorm(DIM), fn

    def forward(self, x, *args):
        return self.fn(self.norm(x), *args)


class DWConv(nn.Module):
    def __init__(self):
        super().__init__()
        conv = nn.Conv2d(MLP_DIM, MLP_DIM, 5, padding=2, groups=MLP_DIM)
        self.depthwise_conv = nn.Sequential(conv, nn.GELU())

    def forward(self, x, size):
        return tokens(self.depthwise_conv(image(x, size)))


class ConvFFN(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.dwconv, self.fc2 = nn.Linear(DIM, MLP_DIM), DWConv(), nn.Linear(MLP_DIM, DIM)

    def forward(self, x, size):
        x = F.gelu(self.fc1(x))
        return self.fc2(x + self.dwconv(x, size))


class Projections(nn.Module):
    def __init__(self):
        super().__init__()
        self.to_q, self.to_k = nn.Linear(DIM, QK_DIM, bias=False), nn.Linear(DIM, QK_DIM, bias=False)
        self.to_v, self.proj = nn.Linear(DIM, DIM, bias=False), nn.Linear(DIM, DIM, bias=False)


class Attention(Projections):
    """Within a window."""

    def forward(self, x):
        q, k, v = heads(self.to_q(x)), heads(self.to_k(x)), heads(self.to_v(x))
        return self.proj(merge(F.scaled_dot_product_attention(q, k, v)))


class IASA(Projections):
    """Within sub-groups of tokens sorted by their centre, and to all centres."""

    def __init__(self, group):
        super().__init__()
        self.group = group

    def forward(self, x, order, k_centre, v_centre):
        b, n, _ = x.shape
        q, k, v = (
            t.gather(1, order.unsqueeze(-1).expand_as(t))
            for t in (self.to_q(x), self.to_k(x), self.to_v(x))
        )
        g = min(n, self.group)
        count = -(-n // g)
        pad = count * g - n
        q = torch.cat((q, q[:, n - pad :].flip(1)), 1)
        q = heads(q.unflatten(1, (count, g)))  # [B, count, H, g, 9]

        def own_and_next(t):
            t = torch.cat((t, t[:, n - pad - g :].flip(1)), 1)
            return heads(t.unfold(1, 2 * g, g).transpose(-1, -2))  # [B, count, H, 2g, d]

        def shared(t):
            return t.expand(b, count, *t.shape)

        y = F.scaled_dot_product_attention(q, own_and_next(k), own_and_next(v))
        y = y + F.scaled_dot_product_attention(q, shared(k_centre), shared(v_centre))
        y = merge(y).flatten(1, 2)[:, :n]
        return self.proj(torch.zeros_like(y).scatter(1, order.unsqueeze(-1).expand_as(y), y))


class IRCA(nn.Module):
    """Keys and values of the centres."""

    def __init__(self):
        super().__init__()
        self.to_k, self.to_v = nn.Linear(DIM, QK_DIM, bias=False), nn.Linear(DIM, DIM, bias=False)

    def forward(self, x, centres):
        if self.training:
            centres = refine(unit(x), unit(centres))  # the last time, with gradient
        return heads(self.to_k(centres)), heads(self.to_v(centres)), centres.detach()


class TAB(nn.Module):
    def __init__(self, centres, group):
        super().__init__()
        self.norm, self.mlp = nn.LayerNorm(DIM), PreNorm(ConvFFN())
        self.irca_attn, self.iasa_attn = IRCA(), IASA(group)
        self.conv1x1 = nn.Conv2d(DIM, DIM, 1, bias=False)
        self.register_buffer("means", unit(torch.randn(centres, DIM)))

    def forward(self, x):
        size = x.shape[2:]
        residual = tokens(x)
        x = self.norm(residual)
        centres = self.means.detach()
        if self.training:
            with torch.no_grad():
                for _ in range(REFINEMENTS - 1):
                    centres = refine(unit(x), unit(centres))
        k, v, centres = self.irca_attn(x, centres)
        with torch.no_grad():
            order = nearest(unit(x), unit(centres)).argsort(dim=-1, stable=True)
        y = self.iasa_attn(x, order, k, v)
        x = residual + tokens(self.conv1x1(image(y, size)))
        x = x + self.mlp(x, size)
        if self.training:
            with torch.no_grad():
                self.means.mul_(EMA).add_(centres, alpha=1 - EMA)
        return image(x, size)


class LRSA(nn.Module):
    """Attention in windows that overlap by two, the overlaps averaged by halving bands."""

    def __init__(self):
        super().__init__()
        self.layer = nn.ModuleList([PreNorm(Attention()), PreNorm(ConvFFN())])

    def forward(self, x, side):
        attention, ffn = self.layer
        b, _, h, w = x.shape
        step = side - 2
        starts = [range(0, size - 2, step) for size in (h, w)]  # nominal, before pushing back
        tops, lefts = ([min(i, size - side) for i in s] for s, size in zip(starts, (h, w)))
        corners = [(top, left) for top in tops for left in lefts]
        t = torch.stack([x[:, :, i : i + side, j : j + side] for i, j in corners], 1)
        t = tokens(t.flatten(0, 1))  # [B*windows, side*side, C]
        t = image(t + attention(t), (side, side)).unflatten(0, (b, -1))
        out = torch.zeros_like(x)
        for n, (i, j) in enumerate(corners):
            out[:, :, i : i + side, j : j + side] += t[:, n]
        for dim, size in ((2, h), (3, w)):
            for i in range(step, size - 2, step):
                start = min(i, size - side)
                out.narrow(dim, start, i + 2 - start).div_(2)
        x = tokens(out)
        return image(x + ffn(x, (h, w)), (h, w))


class CATANet(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale
        conv = lambda inputs, outputs: nn.Conv2d(inputs, outputs, 3, padding=1)
        self.first_conv = conv(3, DIM)
        sizes = zip(CENTRES, GROUPS)
        self.blocks = nn.ModuleList(nn.ModuleList([TAB(m, g), LRSA()]) for m, g in sizes)
        self.mid_convs = nn.ModuleList(conv(DIM, DIM) for _ in WINDOWS)
        if scale == 4:
            self.upconv1, self.upconv2 = conv(DIM, DIM * 4), conv(DIM, DIM * 4)
        else:
            self.upconv = conv(DIM, DIM * scale**2)
        self.last_conv = conv(DIM, 3)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x):
        base = F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        x = shallow = self.first_conv(x)
        for (tab, lrsa), conv, side in zip(self.blocks, self.mid_convs, WINDOWS):
            x = x + conv(lrsa(tab(x), side))
        x = x + shallow
        if self.scale == 4:
            x = F.leaky_relu(F.pixel_shuffle(self.upconv1(x), 2), 0.1)
            x = F.leaky_relu(F.pixel_shuffle(self.upconv2(x), 2), 0.1)
        else:
            x = F.leaky_relu(F.pixel_shuffle(self.upconv(x), self.scale), 0.1)
        return self.last_conv(x) + base
