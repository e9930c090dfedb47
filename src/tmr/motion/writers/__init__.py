"""Motions as files for other programs, BVH, GLB and animated GIF, and as SVG for notebooks."""

from tmr.motion.writers.bvh import write_bvh
from tmr.motion.writers.gif import write_gif
from tmr.motion.writers.glb import write_glb
from tmr.motion.writers.svg import Animation

__all__ = ["Animation", "write_bvh", "write_gif", "write_glb"]
