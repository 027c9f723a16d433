"""
Choosing a penalty with an attacker in mind
===========================================

Clean loss alone, and clean loss plus sensitivity, choose different penalties.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastaif as fa

X, y = load_diabetes(return_X_y=True, as_frame=True)
alphas = np.geomspace(0.1, 100.0, 9)
grid = {"estimator__ridge__alpha": alphas}
model = fa.WithInfluence(make_pipeline(StandardScaler(), Ridge()))
_, ax = plt.subplots(figsize=(6, 4))
for scoring, label in (
    ("neg_mean_squared_error", "clean loss"),
    (fa.sensitivity_scorer(eps=0.02), "clean loss + sensitivity at ε = 0.02"),
):
    search = GridSearchCV(model, grid, scoring=scoring, cv=5).fit(X, y)
    scores = -search.cv_results_["mean_test_score"]
    ax.semilogx(alphas, scores, "o-", label=label)
    best = search.best_index_
    ax.semilogx(alphas[best], scores[best], "k*", markersize=14, zorder=3)
ax.set_xlabel("alpha of Ridge")
ax.set_ylabel("held-out score (lower is better)")
ax.set_ylim(top=3500)
ax.legend()
plt.tight_layout()
plt.show()

# %%
# The features are nearly collinear: with a small penalty a few directions hold all of the
# sensitivity, and a little more of it stiffens them for next to nothing in clean loss.
