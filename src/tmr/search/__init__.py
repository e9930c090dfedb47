"""Searching motions: libraries, galleries, queries."""
