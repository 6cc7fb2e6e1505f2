#!/usr/bin/env python3
"""Losses of the hand-derived model in PyTorch, in double: the reference of tests/byhand/parity_test.cpp.

usage: torch_byhand.py FOLDER    a folder with gpt.json and gpt.safetensors: parameters, ids and the recorded f32 losses
"""

import json
import struct
import sys
from pathlib import Path

import torch


def read_tensors(path):
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    kinds = {"F32": torch.float32, "I32": torch.int32, "I64": torch.int64}
    tensors = {}
    for name, info in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in info["data_offsets"])
        flat = torch.frombuffer(bytearray(data[begin:end]), dtype=kinds[info["dtype"]])
        tensors[name] = flat.reshape(info["shape"])
    return tensors


def rms_norm(x, gain, eps):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + eps) * gain


def loss_of(p, ids, c):
    inputs, targets = ids[:, :-1], ids[:, 1:]
    rows, length = inputs.shape
    mask = torch.full((length, length), -torch.inf, dtype=p["wte"].dtype).triu(1)
    split = lambda y: y.view(rows, length, c["H"], -1).transpose(1, 2)
    x = p["wte"][inputs] + p["wpe"][:length]
    for layer in range(c["L"]):
        w = lambda name: p[f"{layer}.{name}"]
        h = rms_norm(x, w("norm1"), c["eps"])
        q, k, v = (split(h @ w(name).T) for name in ("wq", "wk", "wv"))
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + mask
        x = x + (scores.softmax(-1) @ v).transpose(1, 2).reshape(rows, length, -1) @ w("wo").T
        h = rms_norm(x, w("norm2"), c["eps"])
        x = x + torch.nn.functional.gelu(h @ w("w1").T, approximate="tanh") @ w("w2").T
    logits = rms_norm(x, p["norm_f"], c["eps"]) @ p["wte"].T
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten().long())


def main(folder):
    c = json.loads((folder / "gpt.json").read_text())
    tensors = read_tensors(folder / "gpt.safetensors")
    p = {
        name.removeprefix("param."): t.double().requires_grad_()
        for name, t in tensors.items()
        if name.startswith("param.")
    }
    adam = torch.optim.Adam(p.values(), lr=1e-2)
    for recorded in c["adam_lr_1e-2_losses"]:
        adam.zero_grad()
        loss = loss_of(p, tensors["ids"], c)
        loss.backward()
        adam.step()
        print(f"{loss.item():.13f}  {loss.item() / recorded - 1:+.1e} of the f32 loss")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    main(Path(sys.argv[1]))
