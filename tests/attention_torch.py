"""The numbers of tests/attention_torch.json, by PyTorch's own softmax and its autograd, in 64 bits.

    python3 tests/attention_torch.py > tests/attention_torch.json

3 queries, 5 keys of 4 channels, values of 2. One score is large, and the last two keys are equal.
"""

import json

import torch

torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(9)


def rounded(*shape):
    """Eighths: 32 bits hold them exactly."""
    return (torch.randn(*shape, generator=generator) * 8).round() / 8


q, k, v, dy = rounded(3, 4), rounded(5, 4), rounded(5, 2), rounded(3, 2)
k[4] = k[3]
q[1] *= 8
inputs = {"q": q, "k": k, "v": v}
for x in inputs.values():
    x.requires_grad_()
scores = q @ k.T / q.shape[1] ** 0.5
y = torch.softmax(scores, dim=1) @ v
fused = torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None])[0]
assert torch.allclose(y, fused, rtol=0, atol=1e-12)
y.backward(dy)
numbers = {name: x for name, x in inputs.items()}
numbers |= {"dy": dy, "y": y, "lse": torch.logsumexp(scores, dim=1)}
numbers |= {"d" + name: x.grad for name, x in inputs.items()}
print("{")
lines = [f'"{name}": {json.dumps(x.tolist())}' for name, x in numbers.items()]
print(",\n".join(lines))
print("}")
