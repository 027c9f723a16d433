"""
How wide should a kernel be, with an attacker about?
====================================================

Clean loss and sensitivity of kernel regression against the kernel's width.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import fastaif as fa

images, labels = load_digits(return_X_y=True)
X, y = images[:300] / 16.0, np.where(labels[:300] % 2, 1.0, -1.0)
widths = np.geomspace(0.005, 0.5, 9)
losses, sensitivities = [], []
for gamma in widths:
    model = fa.KernelRegression(fa.kernels.RBF(gamma=gamma), alpha=1e-3).fit(X, y)
    losses.append(float(np.mean((model.predict(X) - y) ** 2)))
    sensitivities.append(fa.aif(model, X, y, p=2).sensitivity_coefficient)

_, ax = plt.subplots(figsize=(6, 4))
ax.loglog(widths, losses, "o-", label="clean loss")
ax.loglog(widths, sensitivities, "s-", label="sensitivity S/ε²")
ax.set_xlabel("γ of the RBF kernel (wide to narrow)")
ax.legend()
plt.tight_layout()
plt.show()

# %%
# A narrower kernel fits better and better. What it costs to make it robust is another matter: it
# is this second curve that a search for γ on clean loss alone cannot see.
