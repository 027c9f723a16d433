"""
Counts: visits to the doctor
============================

The RAND health insurance experiment (20,190 people), and a Poisson regression of their visits.
"""

import matplotlib.pyplot as plt
import statsmodels.api as sm
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastaif as fa

data = sm.datasets.randhie.load_pandas()
X, y = data.exog, data.endog
model = make_pipeline(StandardScaler(), fa.PoissonRegression()).fit(X, y)
result = fa.aif(model, X, y, p=2)
path = fa.robust_path(model, X, y, eps=0.1, p=2)
path.plot("loss")
plt.show()

# %%
# What robust training moves most, in coefficients of the standardised columns:

print(result.to_frame().sort_values("influence", key=abs, ascending=False).head())
