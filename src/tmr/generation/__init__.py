"""Generated motion: what tells how good it is."""
