"""
A frame with categories
=======================

Numbers are attacked, categories are not: nobody's occupation is off by 0.05.
"""

import matplotlib.pyplot as plt
import numpy as np
import statsmodels.api as sm
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import fastaif as fa

data = sm.datasets.fair.load_pandas().data
X = data[["age", "yrs_married", "religious", "rate_marriage"]].copy()
X["occupation"] = data["occupation"].map(lambda code: f"group {int(code)}")
y = np.where(data["affairs"] > 0, "yes", "no")

features = make_column_transformer(
    (StandardScaler(), ["age", "yrs_married", "religious", "rate_marriage"]),
    (OneHotEncoder(), ["occupation"]),
)
model = make_pipeline(features, LogisticRegression(C=1.0, tol=1e-10, max_iter=1000)).fit(X, y)
result = fa.aif(model, X, y, p=2)
print(dict(zip(X.columns, result.attackable, strict=True)))

# %%
# The coefficients of the categories move as well, for the others' sake, though nobody attacks them.

table = result.to_frame().sort_values("influence")
_, ax = plt.subplots(figsize=(6, 4))
ax.barh(table.index.astype(str) if "name" not in table else table["name"], table["influence"])
ax.set_xlabel("influence, dθ/dε")
plt.tight_layout()
plt.show()
