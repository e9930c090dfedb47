"""Mining a library: near duplicates, pairs, captions that do not fit, clusters."""
