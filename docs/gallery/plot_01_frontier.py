"""
The price of robustness, and what it buys
=========================================

Clean loss against loss under attack, with ε along the curve: the one picture to look at first.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastaif as fa

X, y = load_diabetes(return_X_y=True, as_frame=True)
model = make_pipeline(StandardScaler(), LinearRegression()).fit(X, y)
path = fa.robust_path(model, X, y, eps=0.2, p=2)
path.plot("frontier")
plt.show()

# %%
# The curve begins steeply: the first bit of robustness is nearly free. Robust training at ε = 0.05
# raises the clean loss by this share, and lowers the loss under an attack of that size by that one:

clean, attacked = path.clean_loss(0.0), path.adversarial_loss(0.0, attack_eps=0.05)
print(f"cost {path.cost(0.05) / clean:.1%}, gain {path.gain(0.05) / attacked:.1%}")
