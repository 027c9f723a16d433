"""
What an attacker does to a digit
================================

The worst change of an image within a ball, for an ordinary and for a robust classifier.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import fastaif as fa

images, labels = load_digits(return_X_y=True)
kept = np.isin(labels, (3, 8))
X, y = images[kept] / 16.0, labels[kept]
model = fa.LogisticRegression(alpha=1e-3).fit(X, y)
robust = fa.robust_fit(model, X, y, eps=0.1, p=np.inf, radius=1.0).estimator

_, axes = plt.subplots(2, 3, figsize=(6, 4.2))
for row, (name, fitted) in zip(axes, (("ordinary", model), ("robust", robust)), strict=True):
    attacked = fa.attack(fitted, X[:1], y[:1], eps=0.1, p=np.inf, radius=1.0)
    for ax, image, title in zip(
        row,
        (X[0], attacked[0], attacked[0] - X[0]),
        ("image", "attacked", f"change ({name})"),
        strict=True,
    ):
        ax.imshow(image.reshape(8, 8), cmap="gray_r" if title[0] != "c" else "RdBu")
        ax.set_title(title)
        ax.set_axis_off()
plt.tight_layout()
plt.show()

# %%
# At p = ∞ every pixel may change by 0.1 at once. The robust model has weights of exactly zero, and
# pixels behind them are not worth changing.

print("weights at zero:", int((robust.coef_ == 0).sum()), "of", robust.coef_.size)
for name, fitted in (("ordinary", model), ("robust", robust)):
    right = fa.adversarial_accuracy(fitted, X, y, eps=0.1, p=np.inf, radius=1.0)
    print(f"{name}: {right:.1%} still right under that attack")
