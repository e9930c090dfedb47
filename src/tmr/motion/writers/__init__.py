"""Motions as files for other programs: BVH, GLB and animated GIF."""

from tmr.motion.writers.bvh import write_bvh
from tmr.motion.writers.gif import write_gif
from tmr.motion.writers.glb import write_glb

__all__ = ["write_bvh", "write_gif", "write_glb"]
