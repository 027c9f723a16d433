"""
Many small problems at once
===========================

A thousand groups, each with a regression of its own: which of them would pay most for robustness?
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import fastaif as fa

rng = np.random.default_rng(0)
groups = rng.integers(0, 1000, size=60_000)
frame = pd.DataFrame(rng.normal(size=(60_000, 3)), columns=["a", "b", "c"])
frame["key"] = groups
noise = rng.uniform(0.2, 2.0, size=1000)[groups]
frame["y"] = frame["a"] - 0.5 * frame["b"] + noise * rng.normal(size=60_000)

parts = [part for _, part in frame.groupby("key")]
X = [part[["a", "b", "c"]].to_numpy() for part in parts]
y = [part["y"].to_numpy() for part in parts]
batch = fa.aif_batch(fa.LinearRegression(), X, y, p=2)
costs = batch.sensitivity(0.05)
spread = [part["y"].std() for part in parts]

_, ax = plt.subplots(figsize=(6, 4))
ax.scatter(spread, costs, s=6)
ax.set_xlabel("spread of y in the group")
ax.set_ylabel("predicted cost at ε = 0.05")
ax.set_yscale("log")
plt.show()

# %%
# Robustness is expensive where nothing can be predicted anyway: cost rises with the residuals'
# size, squared.

print(pd.Series(costs).describe())
