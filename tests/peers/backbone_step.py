#!/usr/bin/env python3
"""torchvision's bare ResNet-50, trained from layer2 on in bfloat16 with channels last: the speed that training on images is
held against.

usage: backbone_step.py SIZE BATCH STEPS [cpu|cuda]      prints images/s
"""
import sys
import time

import torch
import torchvision

size, batch, steps = map(int, sys.argv[1:4])
device = sys.argv[4] if len(sys.argv) > 4 else "cuda"
torch.backends.cudnn.benchmark = True
net = torchvision.models.resnet50().to(device, memory_format=torch.channels_last).train()
for name, weight in net.named_parameters():
    weight.requires_grad = not name.startswith(("conv1", "bn1", "layer1"))
optimizer = torch.optim.AdamW([weight for weight in net.parameters() if weight.requires_grad])
images = torch.rand(batch, 3, size, size, device=device).to(memory_format=torch.channels_last)
labels = torch.randint(1000, (batch,), device=device)
for step in range(steps + 3):
    if step == 3:
        loss.item()
        start = time.perf_counter()
    with torch.autocast(device, dtype=torch.bfloat16):
        loss = torch.nn.functional.cross_entropy(net(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
loss.item()
print(f"{steps * batch / (time.perf_counter() - start):.0f}")
