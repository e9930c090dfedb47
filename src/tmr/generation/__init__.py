"""Motion generated from text: latents to decode, and what tells how good the motion is."""
