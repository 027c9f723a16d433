"""
Who gets the budget: the orders of distributional attacks
=========================================================

With a shared budget, the attacker spends it on the samples that hurt most.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

import fastaif as fa

X, y = load_diabetes(return_X_y=True)
X = scale(X)
model = fa.LinearRegression().fit(X, y)
_, ax = plt.subplots(figsize=(6, 4))
for order in (np.inf, 4.0, 2.0, 1.5):
    attacked = fa.attack(model, X, y, eps=0.05, order=order)
    lengths = np.sort(np.linalg.norm(attacked - X, axis=1))[::-1]
    ax.semilogy(lengths, label="each its own (∞)" if np.isinf(order) else f"order {order:g}")
ax.set_xlabel("samples, most attacked first")
ax.set_ylabel("how far the sample is moved")
ax.set_ylim(bottom=1e-4)
ax.legend()
plt.show()

# %%
# What robustness against each of them costs, at first order:

for order in (np.inf, 4.0, 2.0, 1.5, 1.0):
    result = fa.aif(model, X, y, order=order)
    print(f"order {order:>4g}: S/ε² = {result.sensitivity_coefficient:.4g}")
