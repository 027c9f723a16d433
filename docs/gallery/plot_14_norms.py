"""
Three norms, three kinds of robust model
========================================

Coefficients along the robust path, for attacks on all features, on their length, on one.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

import fastaif as fa

X, y = load_diabetes(return_X_y=True, as_frame=True)
X = (X - X.mean()) / X.std()
model = fa.LinearRegression().fit(X, y)
_, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True)
for ax, p in zip(axes, (np.inf, 2, 1), strict=True):
    path = fa.robust_path(model, X, y, eps=0.25, p=p)
    sizes = np.linspace(0.0, 0.25, 60)
    ax.plot(sizes, [path.params_at(eps)[:10] for eps in sizes], label=list(X.columns))
    ax.set_title(f"p = {'∞' if np.isinf(p) else p}")
    ax.set_xlabel("ε")
axes[0].set_ylabel("coefficient")
axes[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small")
plt.tight_layout()
plt.show()

# %%
# p = ∞ sets coefficients to zero one after the other, p = 2 shrinks them together, p = 1 cuts the
# largest down to equal size.
