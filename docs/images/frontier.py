"""Draws the README's picture: `python docs/images/frontier.py`."""

from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastaif as fa

X, y = load_diabetes(return_X_y=True, as_frame=True)
model = make_pipeline(StandardScaler(), LinearRegression()).fit(X, y)
fa.robust_path(model, X, y, eps=0.2, p=2).plot("frontier")
plt.savefig(Path(__file__).with_suffix(".png"), dpi=110, bbox_inches="tight")
