"""
How sure is the influence?
==========================

Bootstrap intervals of each coefficient's influence.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes

import fastaif as fa

X, y = load_diabetes(return_X_y=True, as_frame=True)
X = (X - X.mean()) / X.std()
result = fa.aif(fa.LinearRegression().fit(X, y), X, y, p=2)
result.plot(level=0.95)
plt.show()

# %%
# The blood serum measurements s1 to s6 are nearly collinear: their influences are large and
# uncertain, and they are what robust training moves first.

print(result.to_frame(level=0.95).round(1))
