"""
A file that need not fit into memory
====================================

A memory-mapped array goes through fit, influence and robust fit block by block.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import fastaif as fa

rng = np.random.default_rng(0)
folder = tempfile.TemporaryDirectory()
file = Path(folder.name) / "rows.npy"
rows = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=(200_000, 16))
for start in range(0, len(rows), 50_000):
    rows[start : start + 50_000] = rng.normal(size=(50_000, 16))
rows.flush()
X = np.load(file, mmap_mode="r")
y = np.asarray(X @ np.linspace(-1.0, 1.0, 16)) + rng.normal(size=len(X))

model = fa.LinearRegression().fit(X, y)
result = fa.aif(model, X, y)
path = fa.robust_path(model, X, y, eps=[0.02, 0.05, 0.1])
print(f"{path.n_passes} readings of the file for the whole path")
path.plot("coefficients")
plt.show()
del X, rows
folder.cleanup()
