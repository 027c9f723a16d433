"""
A category that occurs once
===========================

Such a row is fitted exactly, and which way an attacker would push it is rounding noise. The right
derivative says where it goes.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastaif as fa

rng = np.random.default_rng(1)
X = rng.normal(size=(60, 3))
single = np.zeros((60, 1))
single[0] = 1.0  # a column that only the first row has
X = np.hstack([X, single])
y = X @ [1.0, -2.0, 0.5, 3.0] + rng.normal(size=60)
model = fa.LinearRegression().fit(X, y)
attackable = [True, True, True, False]
result = fa.aif(model, X, y, p=2, attackable=attackable)
print("rows at a kink:", result.diagnostics["pinned_samples"])

sizes = np.geomspace(1e-6, 1e-2, 9)
slopes = [
    (fa.robust_fit(model, X, y, eps=eps, p=2, attackable=attackable).params - result.params) / eps
    for eps in sizes
]
_, ax = plt.subplots(figsize=(6, 4))
ax.loglog(sizes, [np.linalg.norm(slope - result.influence) for slope in slopes], "o-")
ax.set_xlabel("ε")
ax.set_ylabel("‖(θ_ε − θ̂)/ε − I‖")
plt.show()

# %%
# The differences of exact robust optima tend to the influence, with slope 1.
