"""The steps before training, each a thin command over the package."""
