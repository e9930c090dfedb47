"""The embedded data set: people animated by formulas, with captions from a grammar."""
